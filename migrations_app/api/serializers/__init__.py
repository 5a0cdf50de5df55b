"""The shapes of what goes in and out. They check and spell; none of them saves."""
