//! The request router: weighted targets, switches that lose nothing.
