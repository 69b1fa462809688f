//! Nodes and uses: kind or component, head, fields, `with`.

use super::access::Alias;
use super::checker::{Checker, Cx};
use super::facts::{BlockOf, Cursor, Symbol};
use super::fields::{FieldSpec, Written, omittable};
use crate::diagnose::mismatch::Place;
use crate::diagnose::{names, nodes};
use crate::hir::{ComponentId, Field, Head, Node, NodeId, NodeOf, With};
use crate::resolve::cycles::Vertex;
use crate::resolve::{Def, TypeDef};
use imm_ir::{
    Class, Diagnostic, FieldClass, FieldSchema, FieldType, KindSchema, RecordType, Type, Value, VariantCase,
    VariantType, code,
};
use imm_syntax::ast::{self, NodeHead, NodeKeyword};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

/// What the kind of a node names.
#[derive(Clone)]
pub(super) enum Target {
    Kind(Arc<str>),
    Component(ComponentId),
    Error,
}

impl<'a> Checker<'a> {
    /// What a node is and its class, without reporting anything. Every reference to a node asks, and it is always the same.
    fn quiet_target(&self, id: NodeId) -> (Target, Option<Class>) {
        let Some(known) = self.targets.get(id.index()) else { return (Target::Error, None) };
        let found = known.get_or_init(|| {
            let target = self.find_target(id);
            let class = match &target {
                Target::Kind(kind) => self.schema(kind).map(|schema| schema.class),
                Target::Component(_) | Target::Error => None,
            };
            (target, class)
        });
        found.clone()
    }

    fn find_target(&self, id: NodeId) -> Target {
        let Some(decl) = self.program.nodes.get(id.index()) else { return Target::Error };
        match decl.ast.kind.as_slice() {
            [name] => match self.program.ty(decl.scope, name.as_str()) {
                Some((TypeDef::Component(component), _)) => Target::Component(component),
                Some(_) => Target::Error,
                None => match self.schema(name.as_str()) {
                    Some(schema) => Target::Kind(Arc::clone(&schema.name)),
                    None => Target::Error,
                },
            },
            [alias, name] => match self.program.value(decl.scope, alias.as_str()) {
                Some((Def::Import(import), _)) => match self.program.imports.get(import) {
                    Some(crate::resolve::Import::Module(module)) => match self.program.ty(*module, name.as_str()) {
                        Some((TypeDef::Component(component), _)) => Target::Component(component),
                        Some(_) | None => Target::Error,
                    },
                    Some(_) | None => Target::Error,
                },
                Some(_) | None => {
                    let full = format!("{alias}.{name}");
                    self.schema(&full).map_or(Target::Error, |schema| Target::Kind(Arc::clone(&schema.name)))
                }
            },
            _other => Target::Error,
        }
    }

    /// The class of a node's kind; `None` for a `use` and what is broken.
    pub fn node_class(&self, id: NodeId) -> Option<Class> {
        self.quiet_target(id).1
    }

    /// The type of a node's name: a handle, a map of handles, or an optional handle.
    pub fn node_type(&mut self, id: NodeId) -> Type {
        let one = match self.quiet_target(id).0 {
            Target::Kind(kind) => Type::Handle(kind),
            Target::Component(component) => Type::Component(self.component_name(component)),
            Target::Error => return Type::Error,
        };
        match self.program.nodes.get(id.index()).map(|decl| &decl.ast.head) {
            Some(NodeHead::One) => one,
            Some(NodeHead::For(_)) => Type::map(one),
            Some(NodeHead::If(_)) => Type::option(one),
            None => Type::Error,
        }
    }

    /// Checks a node.
    pub fn node(&mut self, id: NodeId) -> Option<Node> {
        let (ast, item, scope) = self.program.nodes.get(id.index()).map(|d| (d.ast, d.item, d.scope))?;
        let target = self.target(ast, scope);
        let mut cx = Cx::new(scope, Vertex::Node(id));
        let head = match &ast.head {
            NodeHead::One => Head::One,
            NodeHead::For(head) => Head::For(Box::new(self.head(&mut cx, head, true).0)),
            NodeHead::If(condition) => {
                let condition = self.check(&mut cx, condition, &Type::Bool, Place::Count("whether a node exists"));
                Head::If(Box::new(condition))
            }
        };
        let (of, fields) = match target {
            Target::Kind(kind) => {
                let schema = self.schema(&kind)?;
                let fields = self.kind_fields(&mut cx, ast, schema, id);
                self.deprecated_fields(schema, &fields);
                (NodeOf::Kind { kind, class: schema.class }, fields)
            }
            Target::Component(component) => {
                let span = ast.kind_span();
                self.needs.add(Vertex::Node(id), Vertex::Component(component), span);
                if let Some(outer) = self.program.component_of(scope) {
                    self.needs.add(Vertex::Component(outer), Vertex::Component(component), span);
                }
                let fields = self.component_fields(&mut cx, ast, component);
                (NodeOf::Component(component), fields)
            }
            Target::Error => {
                self.unknown_fields(&mut cx, &ast.fields);
                (NodeOf::Error, Vec::new())
            }
        };
        let moves = matches!(&of, NodeOf::Kind { class: Class::Pointer, .. });
        cx.vertex = if moves { Vertex::Set(id) } else { Vertex::Node(id) };
        let with = self.with(&mut cx, ast, &of);
        self.unbind(&mut cx, 0);
        let fields = fields.into_iter().map(|f| Field { name: f.name, value: f.value, name_span: f.span }).collect();
        let node = Node {
            name: Arc::from(ast.name.as_str()),
            of,
            head,
            fields,
            with,
            owner: self.program.component_of(scope),
            docs: super::items::docs(item),
            span: item.span,
            name_span: ast.name.span,
        };
        Some(node)
    }

    /// What a node is; a class that does not fit is reported.
    fn target(&mut self, ast: &ast::Node, scope: usize) -> Target {
        let span = ast.kind_span();
        if let [name] = ast.kind.as_slice() {
            self.at_cursor(name.as_str(), || Cursor::Kind(scope, ast.keyword));
        }
        match ast.kind.as_slice() {
            [name] => match self.program.ty(scope, name.as_str()) {
                Some((TypeDef::Component(component), _)) => {
                    self.saw(name.span, || Some(Symbol::Component(component)));
                    self.component_target(ast, component)
                }
                Some((TypeDef::Broken, _)) => Target::Error,
                Some((TypeDef::Type(_), declared)) => {
                    let text = format!("`{name}` is a type, not a kind");
                    self.report(
                        Diagnostic::error(code::UNKNOWN_KIND, span, text)
                            .label("not a kind")
                            .also(declared, "declared here"),
                    );
                    Target::Error
                }
                None => self.kind_target(ast, scope, name.as_str()),
            },
            [alias, name] => {
                let base = ast::Expr { kind: ast::ExprKind::Name(alias.clone()), span: alias.span };
                let cx = Cx::new(scope, Vertex::End);
                match self.alias(&cx, &base) {
                    Some(Alias::Module(module)) => match self.program.ty(module, name.as_str()) {
                        Some((TypeDef::Component(component), declared)) => {
                            self.saw(name.span, || Some(Symbol::Component(component)));
                            let public =
                                self.program.components.get(component.index()).is_some_and(|d| d.item.public.is_some());
                            self.public_only(scope, module, public, name.as_str(), name.span, declared);
                            self.component_target(ast, component)
                        }
                        _other => {
                            self.at_cursor(name.as_str(), || Cursor::Module { module, kinds: true });
                            let known = self.program.type_names(module);
                            self.report(names::unknown(
                                code::UNKNOWN_KIND,
                                "component",
                                name.as_str(),
                                name.span,
                                known,
                            ));
                            Target::Error
                        }
                    },
                    Some(Alias::Missing) => Target::Error,
                    None if matches!(self.program.value(scope, alias.as_str()), Some((Def::Broken, _))) => {
                        Target::Error
                    }
                    None => self.kind_target(ast, scope, &format!("{alias}.{name}")),
                }
            }
            _other => {
                self.report(
                    Diagnostic::error(code::UNKNOWN_KIND, span, "a kind has at most two parts").label("unknown"),
                );
                Target::Error
            }
        }
    }

    fn component_target(&mut self, ast: &ast::Node, component: ComponentId) -> Target {
        if ast.keyword != NodeKeyword::Use {
            let kind = self.component_name(component);
            self.report(nodes::wrong_class(&kind, ast.keyword.as_str(), "use", ast.keyword_span));
        }
        Target::Component(component)
    }

    fn kind_target(&mut self, ast: &ast::Node, scope: usize, kind: &str) -> Target {
        let Some(schema) = self.schema(kind) else {
            let mut known = self.program.type_names(scope);
            let program = &self.program;
            known.retain(|name| matches!(program.ty(scope, name), Some((TypeDef::Component(_), _))));
            if ast.keyword != NodeKeyword::Use {
                known.extend(self.schemas.kinds.keys().map(|kind| &**kind));
            }
            let what = if ast.keyword == NodeKeyword::Use { "component" } else { "kind" };
            let span = ast.kind_span();
            let mut diagnostic = names::unknown(code::UNKNOWN_KIND, what, kind, span, known.iter().copied());
            if crate::diagnose::similar(kind, known.iter().copied()).is_none() && !known.is_empty() {
                diagnostic = diagnostic.help(format!("there are {}", crate::diagnose::listed(known)));
            }
            self.report(diagnostic);
            return Target::Error;
        };
        let name = Arc::clone(&schema.name);
        self.saw(ast.kind_span(), || Some(Symbol::Kind(name)));
        let written = match ast.keyword {
            NodeKeyword::Resource => Some(Class::Resource),
            NodeKeyword::Durable => Some(Class::Durable),
            NodeKeyword::Pointer => Some(Class::Pointer),
            NodeKeyword::External => Some(Class::External),
            NodeKeyword::Use => None,
        };
        if kind.contains('.') && (written, schema.class) == (Some(Class::Resource), Class::Durable) {
            self.report(nodes::state_in_resource(kind, ast.keyword_span));
        } else if written != Some(schema.class) {
            let right = schema.class.keyword();
            self.report(nodes::wrong_class(kind, ast.keyword.as_str(), right, ast.keyword_span));
        }
        if let Some(deprecation) = &schema.deprecated {
            let prefix = kind.rsplit_once('.').map_or("", |(provider, _)| provider);
            let instead = deprecation.instead.as_ref();
            let instead = instead.map(|i| if prefix.is_empty() { i.to_string() } else { format!("{prefix}.{i}") });
            let since = &deprecation.since;
            self.report(nodes::deprecated(&format!("kind `{kind}`"), since, instead.as_deref(), ast.kind_span()));
        }
        Target::Kind(Arc::clone(&schema.name))
    }

    /// The fields of a kind that a block may have.
    fn specs_of(&mut self, schema: &'a KindSchema) -> Rc<[FieldSpec<'a>]> {
        if let Some(specs) = self.specs.get(&*schema.name) {
            return Rc::clone(specs);
        }
        let decides = |field: &FieldSchema| field.class == FieldClass::Shape || is_rollout(&field.ty);
        let spec = |field: &'a FieldSchema| FieldSpec {
            name: &field.name,
            ty: &field.ty,
            required: field.required,
            place: if decides(field) { Place::CountField(&field.name) } else { Place::Value },
        };
        let specs: Rc<[FieldSpec<'a>]> = schema.fields.iter().map(spec).collect();
        self.specs.insert(&schema.name, Rc::clone(&specs));
        specs
    }

    fn kind_fields(&mut self, cx: &mut Cx, ast: &ast::Node, schema: &'a KindSchema, id: NodeId) -> Vec<Written> {
        let specs = self.specs_of(schema);
        self.saw_block(&ast.fields, &specs, BlockOf::Kind(Arc::clone(&schema.name)));
        let owner = format_args!("{} `{}`", schema.name, ast.name);
        cx.vertex = Vertex::Node(id);
        if !matches!(schema.class, Class::Pointer | Class::Durable) {
            return self.fields(cx, &ast.fields, &specs, &owner, ast.name.span);
        }
        // What is set later needs what it names later; a spread is checked for the whole.
        self.needs.add(Vertex::Set(id), Vertex::Node(id), ast.name.span);
        let later = |name: &str| {
            schema.field(name).is_some_and(|f| matches!(f.class, FieldClass::Movable | FieldClass::Policy))
        };
        let vertex = |entry: &ast::Entry| match &entry.kind {
            ast::EntryKind::Field { key: ast::Key { kind: ast::KeyKind::Name(name), .. }, .. } if later(name) => {
                Vertex::Set(id)
            }
            ast::EntryKind::Short(name) if later(name.as_str()) => Vertex::Set(id),
            _identity => Vertex::Node(id),
        };
        let written = self.fields_of(cx, &ast.fields, &specs, &owner, ast.name.span, Some(&vertex));
        cx.vertex = Vertex::Node(id);
        written
    }

    fn deprecated_fields(&mut self, schema: &KindSchema, written: &[Written]) {
        for field in &schema.fields {
            let Some(deprecation) = &field.deprecated else { continue };
            let Some(used) = written.iter().find(|w| w.name == field.name) else { continue };
            let what = format!("field `{}` of `{}`", field.name, schema.name);
            self.report(nodes::deprecated(&what, &deprecation.since, deprecation.instead.as_deref(), used.span));
        }
    }

    fn component_fields(&mut self, cx: &mut Cx, ast: &ast::Node, component: ComponentId) -> Vec<Written> {
        let scope = self.program.component_scopes.get(component.index()).copied().unwrap_or_default();
        let ids = self.program.scopes.get(scope).map(|s| s.params.clone()).unwrap_or_default();
        let mut params: Vec<(Arc<str>, Type, bool)> = Vec::new();
        for id in ids {
            let ty = self.param_type(id);
            let Some(decl) = self.program.params.get(id.index()) else { continue };
            let required = decl.ast.default.is_none() && !omittable(&ty);
            params.push((Arc::from(decl.ast.name.as_str()), ty, required));
        }
        let specs: Vec<FieldSpec<'_>> = params
            .iter()
            .map(|(name, ty, required)| FieldSpec { name, ty, required: *required, place: Place::Value })
            .collect();
        self.saw_block(&ast.fields, &specs, BlockOf::Component(component));
        let name = self.component_name(component);
        let owner = format_args!("component `{name}`");
        self.fields(cx, &ast.fields, &specs, &owner, ast.name.span)
    }

    /// The fields of a node whose kind is unknown: only their expressions are looked at, so that names count as used.
    fn unknown_fields(&mut self, cx: &mut Cx, block: &ast::Block) {
        let before = self.found.len();
        let ast::BlockBody::Entries(entries) = &block.body else { return };
        for entry in entries {
            match &entry.kind {
                ast::EntryKind::Field { value, .. } => {
                    self.expr(cx, value, Some(&Type::Error));
                }
                ast::EntryKind::Short(name) => {
                    self.name(cx, name, Some(&Type::Error));
                }
                ast::EntryKind::Spread(spread) => {
                    self.expr(cx, spread, Some(&Type::Error));
                }
                ast::EntryKind::Error => {}
            }
        }
        // Without its schema nothing certain can be said about them.
        self.found.truncate(before);
    }

    fn with(&mut self, cx: &mut Cx, ast: &ast::Node, of: &NodeOf) -> Option<Box<With>> {
        let block = ast.with.as_ref()?;
        let unprotected = matches!(of, NodeOf::Kind { class: Class::Resource | Class::Pointer | Class::External, .. });
        let specs: Vec<FieldSpec<'_>> = with_types()
            .iter()
            .filter(|(name, _)| !(unprotected && &**name == "protect"))
            .map(|(name, ty)| FieldSpec { name, ty, required: false, place: Place::Value })
            .collect();
        self.saw_block(block, &specs, BlockOf::Other);
        cx.set = true;
        let written = self.fields(cx, block, &specs, &"`with`", block.span);
        cx.set = false;
        let mut with = Box::new(With { span: block.span, ..With::default() });
        for field in written {
            let slot = match &*field.name {
                "needs" => &mut with.needs,
                "timeout" => &mut with.timeout,
                "retries" => &mut with.retries,
                "replace" => &mut with.replace,
                _protect => &mut with.protect,
            };
            *slot = Some(field.value);
        }
        Some(with)
    }
}

fn is_rollout(ty: &Type) -> bool {
    matches!(ty, Type::Variant(variant) if &*variant.name == "Rollout")
}

/// What a `with` block may say.
fn with_types() -> &'static [(Arc<str>, Type)] {
    static TYPES: LazyLock<Vec<(Arc<str>, Type)>> = LazyLock::new(|| {
        let all = [
            ("timeout", Type::Duration),
            ("retries", Type::Int),
            ("replace", replace_type()),
            ("needs", Type::list(Type::Node)),
            ("protect", Type::Bool),
        ];
        all.into_iter().map(|(name, ty)| (Arc::from(name), ty)).collect()
    });
    &TYPES
}

/// `beside | handover { max_outage: Duration = 30s } | stop_first { because: String }`
fn replace_type() -> Type {
    let case = |tag: &str, fields| VariantCase { tag: Arc::from(tag), payload: RecordType { fields } };
    let field = |name: &str, ty, default| FieldType { name: Arc::from(name), ty, default };
    let outage = field("max_outage", Type::Duration, Some(Value::Duration(30_000)));
    let because = field("because", Type::String, None);
    Type::Variant(Arc::new(VariantType {
        name: Arc::from("Replace"),
        variants: vec![case("beside", vec![]), case("handover", vec![outage]), case("stop_first", vec![because])],
    }))
}
