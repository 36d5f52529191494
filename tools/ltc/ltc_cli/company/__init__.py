"""A company that uses the suite from outside, over HTTP and Kafka alone: the demo and the end-to-end tests play it."""
