"""A GPU elsewhere: a Colab notebook, or any computer that runs `avatar serve`."""
