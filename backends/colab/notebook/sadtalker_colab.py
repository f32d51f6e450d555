"""The source of notebooks/SadTalker_Colab.ipynb: `make notebook` writes that file from this one.

The cells are a few lines each; what they do is in backends/colab/setup, which travels inside the
notebook and is tested. This file is read, never run.
"""

# %% [markdown] welcome
# # Talking presenters on a free GPU
#
# This notebook makes the presenter's clips for `avatar-core` on Google's GPU, with
# [SadTalker](https://github.com/OpenTalker/SadTalker). In the end it prints one line,
# `COLAB_API_URL=...`, which you copy to your own computer.
#
# **Begin here**
#
# 1. **Runtime > Change runtime type > T4 GPU > Save.**
# 2. Only the first time: the tunnel's free token. Cell 6 says how to get it and where it goes; or
#    choose `cloudflared` in cell 5, which needs none.
# 3. **Runtime > Run all.** The first time takes five to ten minutes, most of it downloads.
# 4. Read what cell 2 says. If something is not in order, its last line is the next step.
# 5. Copy the line that cell 5 prints.
#
# **After a break**, or when a cell says that the ones above are missing: Runtime > Run all again.
# What is there is kept, so it takes a minute; where Colab has deleted the machine, all of it.
#
# | cell | what it does | how often |
# |---|---|---|
# | 1 Set-up | installs SadTalker and its networks | once a session; again does no harm |
# | 2 Check | one table: what is there, what is missing, what to do | whenever in doubt |
# | 3 Manual test | makes one clip here, without any network | to try a portrait |
# | 4 Options | the picture options, and how to write them into your settings | to try others |
# | 5 API server | starts the server and the tunnel, prints the line to copy | once a session |
# | 6 ngrok token | looks whether the tunnel's token is there, and says how to get one | once ever |
#
# **What to know before**
#
# - **Use only your own face and voice, or those of people who have agreed.** Google forbids
#   deepfakes on Colab, and so do most laws.
# - Colab is for interactive use: stay with the notebook while your film is rendered, and end the
#   session afterwards (Runtime > Disconnect and delete runtime). It is not for running a service.
# - A free session ends after 12 hours at most, earlier when the notebook is left alone (about 90
#   minutes), and everything in it is deleted. A GPU is not guaranteed. Films that are being
#   rendered on your computer fall back to another presenter meanwhile, and tell you.
# - Your portraits and narrations travel to this machine. They are deleted when their job
#   ends.
# - What the cells print is not saved with the notebook on Colab: the line of cell 5 is a key.

# %% [markdown] about-program
# The next cell unpacks the program that this notebook carries. There is nothing to fill in.

# %% [hidden] program
# @title The program, packed
import base64
import io
import lzma
import sys
import zipfile
from pathlib import Path

VERSION = ""
PROGRAM = ""
FOLDER = Path("/content") if "google.colab" in sys.modules else Path.cwd()
program = FOLDER / "avatar" / VERSION
wheel = io.BytesIO(lzma.decompress(base64.b64decode(PROGRAM)))
zipfile.ZipFile(wheel).extractall(program)
sys.path.insert(0, str(program))

from backends.colab.setup.requirements import install_requirements

install_requirements(program)
print("avatar-core", VERSION)

# %% [markdown] about-set-up
# ## 1. Set-up
#
# Installs SadTalker in a Python environment of its own, so that changes of Colab cannot break it,
# and downloads its networks (2.5 GB). What is there is kept, what is cut off is fetched again:
# **when it fails, run it once more.** If that does not help: Runtime > Disconnect and delete
# runtime, then begin again.
#
# `SADTALKER` and `PYTHON` stay empty, unless you have a SadTalker that works: then its folder and
# the Python that it runs with. Nothing is installed then. `WITHOUT_GPU` is for computers without an
# NVIDIA GPU: it works, and takes hours.

# %% set-up
SADTALKER = ""  # @param {type:"string"}
PYTHON = ""  # @param {type:"string"}
WITHOUT_GPU = False  # @param {type:"boolean"}

if "program" not in globals():
    print("Run the cell above first. On Colab: Runtime > Run before.")
else:
    from backends.colab.setup.notebook import Notebook

    notebook = Notebook(FOLDER, sadtalker=SADTALKER, python=PYTHON, without_gpu=WITHOUT_GPU)
    notebook.set_up()

# %% [markdown] about-check
# ## 2. Check
#
# Looks at everything that is needed. **The last line says what to do next.**

# %% check
if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.check()

# %% [markdown] about-manual-test
# ## 3. Manual test
#
# Makes one clip and shows it. Empty fields take the example that comes with SadTalker. For your
# own: drag a picture and a sound into the Files panel on the left and write their names here. A
# sharp, frontal face in good light is best, 512 x 512 pixels or more.
#
# **No face found?** Take another picture. **Out of memory?** Runtime > Restart session, then run
# the cells again.

# %% manual-test
PICTURE = ""  # @param {type:"string"}
SOUND = ""  # @param {type:"string"}

if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.try_out(PICTURE, SOUND)

# %% [markdown] about-options
# ## 4. Options
#
# How the clip is made. The values that stand here fail least and are the fastest. Change them, run
# this cell, then cell 3 to see what they do. What you like goes into the settings on your computer:
# the cell prints the lines.
#
# - `PREPROCESS`: `crop` shows the face alone, `full` the whole picture with the face put back.
# - `ENHANCER`: sharpens the face, and takes longer than everything else. If `gfpgan` crashes, take
#   `RestoreFormer`, which is more stable, or `none`.
# - `SIZE`: 512 is sharper, needs four times the memory and more time.

# %% options
PREPROCESS = "crop"  # @param ["crop", "extcrop", "resize", "full", "extfull"]
STILL = True  # @param {type:"boolean"}
ENHANCER = "none"  # @param ["none", "gfpgan", "RestoreFormer"]
SIZE = 256  # @param [256, 512] {type:"raw"}
EXPRESSION_SCALE = 1.0  # @param {type:"number"}
POSE_STYLE = 0  # @param {type:"integer"}

if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.set_options(
        preprocess=PREPROCESS,
        still=STILL,
        enhancer=ENHANCER,
        size=SIZE,
        expression_scale=EXPRESSION_SCALE,
        pose_style=POSE_STYLE,
    )

# %% [markdown] about-server
# ## 5. API server
#
# Starts the server and opens a tunnel to it, then prints the line **`COLAB_API_URL=...`**. Copy all
# of it to your computer, into a file `.env` in the folder where you run `avatar`. It is a key to
# this machine: show it to nobody. `avatar doctor` there tells whether it works.
#
# Run the cell again to start it anew; finished clips are kept. The tunnel `ngrok` needs a free
# token (cell 6), and its address stays the same from day to day; the key in the line does not.
# `cloudflared` needs no token. `none` is for programs on this machine.

# %% server
TUNNEL = "ngrok"  # @param ["ngrok", "cloudflared", "none"]
PORT = 5000  # @param {type:"integer"}

if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.serve(TUNNEL, port=PORT)

# %% [markdown] about-ngrok-token
# ## 6. ngrok token
#
# Only for the tunnel `ngrok`, and only once:
#
# 1. Get a free account and copy your token from
#    [dashboard.ngrok.com](https://dashboard.ngrok.com/get-started/your-authtoken).
# 2. Click the key symbol on the left (Secrets), **Add new secret**, name `NGROK_AUTHTOKEN`, paste
#    the token, switch on **Notebook access**.
# 3. Run this cell, then cell 5 again.
#
# Never write the token into a cell: notebooks are shared, and saved with what is in them.

# %% ngrok-token
if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.look_for_token()

# %% [markdown] afterwards
# ## While it runs
#
# Run the next cell to see what the server is doing and what went wrong last; with `FOLLOW` it goes
# on until you stop it. For help with a message, type on your own computer: `avatar docs colab`

# %% news
FOLLOW = False  # @param {type:"boolean"}

if "notebook" not in globals():
    print("Run the cells above first. On Colab: Runtime > Run before.")
else:
    notebook.news(follow=FOLLOW)
