"""Where the networks are trained; needs PyTorch, and ``pip install 'underpaint[lab]'`` brings it.

::

    photographs ─► data ─► papers/* ─► fit ─► run folder ─► export ─► zoo
                           networks, losses, recipes        ONNX and card

The runtime never imports it.
"""
