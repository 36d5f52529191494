"""What a service is told by somebody who means it ill, or cannot do better; `tests/house/test_bad_input.py` says what must hold."""
