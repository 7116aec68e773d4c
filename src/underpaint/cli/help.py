"""Help page of ``underpaint --help``."""

HELP = """\
Steganography and watermarking: hide data in images and videos, and measure who
could notice and what it survives.

  hide      COVER -o CONTAINER -m TEXT    hide a message (a watermark)
  hide      COVER -o CONTAINER -f FILE    hide a file
  hide      COVER -o CONTAINER -i IMAGE   hide an image, compressed to fit
  hide      COVER -o … -i FACE --template hide only the template of a face
  reveal    CONTAINER [-o OUT]            extract the payload exactly
  detect    PICTURE                       is a payload present? It is not read
  recognise CONTAINER -g DIR              compare a hidden template with faces
  capacity  COVER [--map MAP]             largest payload of each method

  attack    IMAGE CHAIN -o OUT            distort an image as a channel would
  compare   COVER CONTAINER               PSNR, SSIM and classifier labels
  inspect   PICTURE…                      steganalysis: search for hidden data
  jnd       IMAGE -o MAP                  tolerance of classifiers, per value
  enrol     DIR -o GALLERY                save the templates of the faces in DIR

  demo                                    hide a message, send it, reveal it
  zoo       [NAME]                        list the installed models
  bench                                   moved to: underpaint-lab bench
  train                                   moved to: underpaint-lab train

Examples:

  underpaint hide lake.png -o sent.jpg -m 'meet me at noon'
  underpaint attack sent.jpg 'rescale:0.5 | jpeg:75' -o arrived.png
  underpaint reveal arrived.png
  underpaint hide lake.png -o sent.png -m 'meet at noon' --survive crop:0.7
  underpaint hide lake.png -o sent.png -f report.pdf --passphrase

The cover is the image to hide in, the container is the result (stego image).

A message is embedded as a robust watermark (method robust): the container may
be recompressed and resized, or go through the channel that --survive names, for
example 'jpeg:50 | resize:0.5' or crop:0.7. Method stdm is used if that channel
moves no pixel, or if robust fails. A file or an image is hidden by basn, with a
far larger capacity, in a lossless container that must not change, such as PNG;
a file too large for basn is hidden by lsb. --method chooses another method.

With --template the face in IMAGE can be recognised but not restored. --method
miais embeds the template by a network. With --restorable, whoever has a second
passphrase can restore the face too.

A video takes a message in every frame: hide lake.mp4 -o sent.mp4 -m TEXT. It is
read from any part of the video, recompressed or not. A video takes an image
(-i) in packets that are spread over the frames; most of the video restores it.

Without a passphrase the payload is verified but not secret. --passphrase asks
for one at the terminal, --passphrase-file reads it from a file; otherwise the
variable UNDERPAINT_PASSPHRASE is used. As a file name, '-' means standard input
or standard output.

Exit status: 0 success, 1 failure, 2 wrong usage, 3 nothing found or a wrong
passphrase.
See also: underpaint COMMAND --help, --version, --install-completion.
"""
