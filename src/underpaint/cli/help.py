"""What ``underpaint --help`` says."""

HELP = """\
Hide data in pictures, and know with numbers who could notice and what it
survives.

  hide      COVER -o CONTAINER -m TEXT    hide a message in a picture
  hide      COVER -o CONTAINER -f FILE    hide a file
  hide      COVER -o CONTAINER -i IMAGE   hide a picture, as good as it fits
  hide      COVER -o … -i FACE --template hide only whom it shows
  reveal    CONTAINER [-o OUT]            bring it back: exactly, or not at all
  recognise CONTAINER -g DIR              whom it shows, of the faces in DIR
  capacity  COVER [--map MAP]             what fits, by each method, and where

  attack    IMAGE CHAIN -o OUT            what may happen to it on its way
  compare   COVER CONTAINER               what the eye could notice, in numbers
  inspect   PICTURE…                      what detectors of hidden data notice
  jnd       IMAGE -o MAP                  how far it may change for machines
  enrol     DIR -o GALLERY                what recognises the faces in DIR

  demo                                    the whole round on a photograph
  bench     [TABLE [METHOD …]]            measure what a method survives
  zoo       [NAME]                        the models that are installed
  train     [RECIPE] --data DIR           train one, or see what can be trained

For example:

  underpaint hide lake.png -o sent.jpg -m 'meet me at noon'
  underpaint attack sent.jpg 'rescale:0.5 | jpeg:75' -o arrived.png
  underpaint reveal arrived.png
  underpaint hide lake.png -o sent.png -m 'meet at noon' --survive crop:0.7
  underpaint hide lake.png -o sent.png -f report.pdf --passphrase

A message is hidden by robust: the picture may be recompressed and resized, or
go through what --survive names, such as 'jpeg:50 | resize:0.5' or crop:0.7. By
stdm if nothing there moves a pixel, or if robust cannot. A file or a picture is
hidden by basn, which holds far more, in a container that must stay exactly as
it is, such as a png, and a file too large for that by lsb. --method chooses
otherwise.

With --template, only what a face is recognised by is hidden, never its picture;
--method miais writes it as the paper on recognition has it, and --restorable
lets an auditor bring the picture back.

A video takes a message too, in every frame: hide lake.mp4 -o sent.mp4 -m TEXT.
It is read from any part of it, recompressed or not. It takes a picture (-i) in
packets; the better part of the video has enough of them.

Without a passphrase the payload is checked, but not secret. --passphrase asks
for one at the terminal, --passphrase-file reads it from a file; else the
variable UNDERPAINT_PASSPHRASE holds it. In place of a file's name, '-' is
standard input or output.

Exit status: 0 done, 1 failed, 2 usage, 3 nothing found or another passphrase.
See also: underpaint COMMAND --help, --version, --install-completion.
"""
