"""Videos: decoding, colours, encoding in segments, and putting streams together; needs `video`."""
