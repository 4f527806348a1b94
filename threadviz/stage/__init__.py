"""What stands for Python's own threading while runs go on, and is always taken down again."""
