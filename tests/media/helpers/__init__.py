"""What the tests of the media engine share."""
