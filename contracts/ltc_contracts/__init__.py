"""What crosses a service boundary: the envelope, Money, the event models, and the topics they travel on."""
