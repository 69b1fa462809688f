//! What params, lets and nodes stand for: one scope for the root module and one for each instance of a component.

use super::trail::Bound;
use crate::hir::{LetId, NodeId, ParamId};
use imm_ir::{Addr, Loc, Replace};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All scopes of an evaluation; the first is the root's.
pub(super) struct Scopes {
    all: Vec<Scope>,
    current: usize,
    instances: BTreeMap<Addr, usize>,
}

/// One instance of a body.
#[derive(Default)]
pub(super) struct Scope {
    /// Address of the `use`; `None` for the root.
    pub addr: Option<Addr>,
    /// The `use` sites around it, outermost first.
    pub uses: Arc<[Loc]>,
    /// What `with` of the `use` sites around it says.
    pub with: Carried,
    pub params: FxHashMap<ParamId, Bound>,
    pub lets: FxHashMap<LetId, Bound>,
    pub nodes: FxHashMap<NodeId, Bound>,
    pub outputs: FxHashMap<Arc<str>, Bound>,
}

/// The settings of `with` blocks around a node. A nearer one wins; what all must follow adds up.
#[derive(Clone, Default)]
pub(super) struct Carried {
    pub timeout_ms: Option<u64>,
    pub retries: Option<u32>,
    pub replace: Option<Replace>,
    pub protect: Option<bool>,
    pub needs: Vec<Addr>,
}

impl Default for Scopes {
    fn default() -> Self {
        Self { all: vec![Scope::default()], current: 0, instances: BTreeMap::new() }
    }
}

impl Scopes {
    #[expect(
        clippy::indexing_slicing,
        reason = "`current` is set by `enter` to an index of `all`, which never shrinks"
    )]
    pub fn here(&self) -> &Scope {
        &self.all[self.current]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`current` is set by `enter` to an index of `all`, which never shrinks"
    )]
    pub fn here_mut(&mut self) -> &mut Scope {
        &mut self.all[self.current]
    }

    /// There will be so many nodes.
    pub fn expect_nodes(&mut self, count: usize) {
        self.here_mut().nodes.reserve(count);
    }

    fn root(&self) -> Option<&Scope> {
        self.all.first()
    }

    /// Opens the scope of an instance; returns the one to go back to.
    pub fn enter(&mut self, scope: Scope) -> usize {
        if let Some(addr) = &scope.addr {
            self.instances.insert(addr.clone(), self.all.len());
        }
        self.all.push(scope);
        std::mem::replace(&mut self.current, self.all.len() - 1)
    }

    /// Goes back to a scope that [`Scopes::enter`] returned.
    pub fn leave(&mut self, before: usize) {
        self.current = before;
    }

    /// The instance of a component at an address.
    pub fn instance(&self, addr: &Addr) -> Option<&Scope> {
        self.instances.get(addr).and_then(|index| self.all.get(*index))
    }

    pub fn param(&self, id: ParamId) -> Option<&Bound> {
        self.here().params.get(&id).or_else(|| self.root()?.params.get(&id))
    }

    pub fn binding(&self, id: LetId) -> Option<&Bound> {
        self.here().lets.get(&id).or_else(|| self.root()?.lets.get(&id))
    }

    pub fn node(&self, id: NodeId) -> Option<&Bound> {
        self.here().nodes.get(&id).or_else(|| self.root()?.nodes.get(&id))
    }

    /// The address of something declared in the current scope.
    pub fn addr(&self, name: &str) -> Addr {
        match &self.here().addr {
            Some(addr) => addr.child(name),
            None => Addr::root(name),
        }
    }
}
