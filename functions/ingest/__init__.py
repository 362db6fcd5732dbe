"""SQS events -> the lake."""
