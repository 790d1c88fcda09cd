"""Audio between codecs, application, files and devices: sources, sinks, queues, tones, concealment."""
