"""The one place that picks concrete parts from the configuration."""
