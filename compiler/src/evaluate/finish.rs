//! The end of an evaluation: outputs of the program, then what is only seen on the whole graph.

use super::Evaluator;
use imm_ir::Output;
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn finish(&mut self) {
        let module = self.module;
        for output in &module.root.outputs {
            let Some(bound) = self.scopes.here().outputs.get(&output.name).cloned() else { continue };
            let loc = self.loc(output.span);
            self.graph.outputs.push(Output {
                name: Arc::clone(&output.name),
                ty: output.value.ty.clone(),
                term: Arc::unwrap_or_clone(bound.term),
                loc,
            });
        }
        self.judge_routes();
        self.nothing_to_run();
    }
}
