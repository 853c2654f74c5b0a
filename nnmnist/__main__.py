"""`python -m nnmnist` is `nnmnist`."""

from nnmnist.cli.app import main

if __name__ == "__main__":
    main()
