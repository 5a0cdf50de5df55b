import sys

sys.exit("this environment does not like you")
