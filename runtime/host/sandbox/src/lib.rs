//! One program in isolation, with a monitor that keeps its output and status.
