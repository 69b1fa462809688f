//! Numbers that stand for declarations: indices into the tables of [`TypedModule`](super::TypedModule).

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(pub u32);

            impl $name {
                /// The place in its table.
                pub fn index(self) -> usize {
                    self.0 as usize
                }

                pub(crate) fn of(index: usize) -> Self {
                    Self(u32::try_from(index).unwrap_or(u32::MAX))
                }
            }
        )*
    };
}

ids! {
    /// A param of the root module or of a component (then: of the current instance).
    ParamId;
    /// A let; one of a component belongs to the current instance.
    LetId;
    /// A function.
    FnId;
    /// A node or `use`; one of a component belongs to the current instance.
    NodeId;
    /// A component.
    ComponentId;
    /// A binding of a lambda, pattern, `for`, function or refinement. No two bindings share one.
    LocalId;
    /// A condition after `where`.
    RefinementId;
}
