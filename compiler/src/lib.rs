//! Sources to a resource graph: resolve, check, evaluate. Pure.
