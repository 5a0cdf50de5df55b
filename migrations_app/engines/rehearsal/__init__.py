"""Rehearsals: a plan's revisions run on a scratch copy of the target's schema, and what really happened is told."""
