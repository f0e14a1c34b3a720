"""The study of trust: what can be measured beside right and wrong, for every approach on seven tasks."""
