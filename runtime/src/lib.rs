//! Graph and recorded state to a plan, and a plan to one transaction.
