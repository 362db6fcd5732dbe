"""What operators do with segments: check, explain, try out, look back, report; by command and over the admin API."""
