"""Every reader of files that strangers make, fed with thousands of damaged ones: a right result or a clear error."""
