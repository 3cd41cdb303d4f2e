"""The reference pages that the catalog writes."""
