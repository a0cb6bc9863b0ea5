//! What a module names: what its functions need of each other and of the machine, and names that nothing gives.

use super::{CHECK_SUFFIX, Function, UNKNOWN_NAME, eval, fit::Functions, place};
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::{FileId, Span},
};
use starlark_syntax::syntax::{
    ast::{
        AssignTarget, AstAssignTarget, AstExpr, AstParameter, AstStmt, Clause, Expr, ForClause, Parameter,
        Stmt,
    },
    uniplate::Visit,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A name that a module takes from another one.
#[derive(Clone, Debug)]
pub struct Load {
    /// What it is called here.
    pub local: String,
    /// What it is called there.
    pub theirs: String,
    /// Where that name stands.
    pub span: Span,
    /// The other module as it is written: `other.star`.
    pub module: String,
    /// Where the other module is written.
    pub module_span: Span,
}

/// What a module's parts name outside of themselves.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By function; what is computed when the module is loaded is under the empty name.
    uses: HashMap<String, BTreeSet<String>>,
    /// What comes from other modules.
    pub loads: Vec<Load>,
    /// All names at the top of the module.
    pub globals: BTreeSet<String>,
}

impl Names {
    /// Reads a module's names, and reports those that nothing gives.
    pub fn of(file: FileId, statement: &AstStmt, found: &mut Vec<Diagnostic>) -> Self {
        let mut names = Self::default();
        names.collect(file, statement);
        let functions = Functions::of(statement);
        let mut walker =
            Walker { file, names: &mut names, functions, scopes: Vec::new(), part: String::new(), found };
        walker.top(statement);
        names
    }

    fn collect(&mut self, file: FileId, statement: &AstStmt) {
        match &statement.node {
            Stmt::Statements(inner) => inner.iter().for_each(|statement| self.collect(file, statement)),
            Stmt::Load(load) => {
                for argument in &load.args {
                    self.globals.insert(argument.local.node.ident.clone());
                    self.loads.push(Load {
                        local: argument.local.node.ident.clone(),
                        theirs: argument.their.node.clone(),
                        span: place(file, argument.their.span),
                        module: load.module.node.clone(),
                        module_span: place(file, load.module.span),
                    });
                }
            }
            _ => {
                let mut bound = HashSet::new();
                binds(statement, &mut bound);
                self.globals.extend(bound.into_iter().map(str::to_owned));
            }
        }
    }

    /// What a part names; what the module computes when it is loaded counts for all.
    pub fn used_by(&self, part: &str) -> impl Iterator<Item = &str> {
        let of = |part: &str| self.uses.get(part).into_iter().flatten().map(String::as_str);
        of(part).chain(of(""))
    }
}

/// Whether a function tells what another one would do.
pub fn is_companion(function: &Function, functions: &[Function]) -> bool {
    let of = function.name.strip_suffix(CHECK_SUFFIX);
    of.is_some_and(|of| functions.iter().any(|other| other.name == of))
}

/// Names that a statement binds in its own scope.
pub fn bound_by(statement: &AstStmt) -> HashSet<&str> {
    let mut bound = HashSet::new();
    binds(statement, &mut bound);
    bound
}

fn binds<'a>(statement: &'a AstStmt, bound: &mut HashSet<&'a str>) {
    match &statement.node {
        Stmt::Statements(inner) => inner.iter().for_each(|statement| binds(statement, bound)),
        Stmt::Assign(assign) => targets(&assign.lhs, bound),
        Stmt::AssignModify(target, ..) => targets(target, bound),
        Stmt::If(_, then) => binds(then, bound),
        Stmt::IfElse(_, both) => {
            binds(&both.0, bound);
            binds(&both.1, bound);
        }
        Stmt::For(inner) => {
            targets(&inner.var, bound);
            binds(&inner.body, bound);
        }
        Stmt::Def(def) => {
            bound.insert(&def.name.node.ident);
        }
        Stmt::Load(load) => bound.extend(load.args.iter().map(|a| &*a.local.node.ident)),
        Stmt::Break | Stmt::Continue | Stmt::Pass | Stmt::Return(_) | Stmt::Expression(_) => {}
    }
}

fn targets<'a>(target: &'a AstAssignTarget, bound: &mut HashSet<&'a str>) {
    match &target.node {
        AssignTarget::Tuple(inner) => inner.iter().for_each(|target| targets(target, bound)),
        AssignTarget::Identifier(name) => {
            bound.insert(&name.node.ident);
        }
        AssignTarget::Index(_) | AssignTarget::Dot(..) => {}
    }
}

struct Walker<'w, 'a> {
    file: FileId,
    names: &'w mut Names,
    functions: Functions<'a>,
    /// Names of the functions and comprehensions around the place.
    scopes: Vec<HashSet<&'a str>>,
    /// The function at the top of the module that is walked; empty outside of all.
    part: String,
    found: &'w mut Vec<Diagnostic>,
}

impl<'a> Walker<'_, 'a> {
    fn top(&mut self, statement: &'a AstStmt) {
        match &statement.node {
            Stmt::Statements(inner) => inner.iter().for_each(|statement| self.top(statement)),
            Stmt::Def(def) => {
                self.defaults(&def.params);
                self.part.clone_from(&def.name.node.ident);
                self.names.uses.entry(self.part.clone()).or_default();
                self.function(&def.params, |walker, scope| {
                    binds(&def.body, scope);
                    walker.scopes.push(std::mem::take(scope));
                    walker.statement(&def.body);
                });
                self.part.clear();
            }
            _ => self.statement(statement),
        }
    }

    /// Walks a body with a scope of its own; `body` pushes the scope.
    fn function(&mut self, params: &'a [AstParameter], body: impl FnOnce(&mut Self, &mut HashSet<&'a str>)) {
        let idents = params.iter().filter_map(|p| p.node.ident());
        let mut scope: HashSet<&'a str> = idents.map(|ident| &*ident.node.ident).collect();
        let depth = self.scopes.len();
        body(self, &mut scope);
        self.scopes.truncate(depth);
    }

    fn defaults(&mut self, params: &'a [AstParameter]) {
        for param in params {
            if let Parameter::Normal(_, _, Some(default)) = &param.node {
                self.expression(default);
            }
        }
    }

    fn statement(&mut self, statement: &'a AstStmt) {
        if let Stmt::Def(def) = &statement.node {
            self.defaults(&def.params);
            self.function(&def.params, |walker, scope| {
                binds(&def.body, scope);
                walker.scopes.push(std::mem::take(scope));
                walker.statement(&def.body);
            });
            return;
        }
        if let Stmt::Assign(assign) = &statement.node {
            // The type of a variable is no use of a name.
            self.target(&assign.lhs);
            self.expression(&assign.rhs);
            return;
        }
        let mut children = Vec::new();
        statement.visit_children(|child| children.push(child));
        for child in children {
            match child {
                Visit::Stmt(inner) => self.statement(inner),
                Visit::Expr(inner) => self.expression(inner),
            }
        }
    }

    fn target(&mut self, target: &'a AstAssignTarget) {
        match &target.node {
            AssignTarget::Tuple(inner) => inner.iter().for_each(|target| self.target(target)),
            AssignTarget::Index(parts) => {
                self.expression(&parts.0);
                self.expression(&parts.1);
            }
            AssignTarget::Dot(object, _) => self.expression(object),
            AssignTarget::Identifier(_) => {}
        }
    }

    fn expression(&mut self, expression: &'a AstExpr) {
        match &expression.node {
            Expr::Identifier(name) => self.name(&name.node.ident, expression),
            Expr::Dot(object, attribute) => {
                self.expression(object);
                self.member(object, &attribute.node, place(self.file, attribute.span));
            }
            Expr::Call(callee, arguments) => {
                self.expression(callee);
                if let Expr::Identifier(name) = &callee.node
                    && !self.scopes.iter().any(|scope| scope.contains(&*name.node.ident))
                {
                    self.functions.check(self.file, callee, &name.node.ident, &arguments.args, self.found);
                }
                for argument in &arguments.args {
                    self.expression(argument.node.expr());
                }
            }
            Expr::Lambda(lambda) => {
                self.defaults(&lambda.params);
                self.function(&lambda.params, |walker, scope| {
                    walker.scopes.push(std::mem::take(scope));
                    walker.expression(&lambda.body);
                });
            }
            Expr::ListComprehension(item, first, clauses) => {
                self.comprehension(first, clauses, &[item]);
            }
            Expr::DictComprehension(item, first, clauses) => {
                self.comprehension(first, clauses, &[&item.0, &item.1]);
            }
            _ => {
                let mut children = Vec::new();
                expression.visit_expr(|inner| children.push(inner));
                for inner in children {
                    self.expression(inner);
                }
            }
        }
    }

    fn comprehension(&mut self, first: &'a ForClause, clauses: &'a [Clause], items: &[&'a AstExpr]) {
        let depth = self.scopes.len();
        self.clause(first);
        for clause in clauses {
            match clause {
                Clause::For(clause) => self.clause(clause),
                Clause::If(condition) => self.expression(condition),
            }
        }
        for item in items {
            self.expression(item);
        }
        self.scopes.truncate(depth);
    }

    fn clause(&mut self, clause: &'a ForClause) {
        self.expression(&clause.over);
        let mut scope = HashSet::new();
        targets(&clause.var, &mut scope);
        self.scopes.push(scope);
    }

    fn name(&mut self, name: &str, expression: &AstExpr) {
        if self.scopes.iter().any(|scope| scope.contains(name)) {
            return;
        }
        if !self.names.globals.contains(name) && !eval::is_known(name) {
            let span = place(self.file, expression.span);
            let diagnostic = Diagnostic::new(&UNKNOWN_NAME, span, format!("There is no `{name}`"));
            let mut known: Vec<String> =
                self.scopes.iter().flatten().map(|name| (*name).to_owned()).collect();
            known.extend(self.names.globals.iter().cloned());
            known.extend(eval::known_names().map(str::to_owned));
            self.found.push(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => diagnostic.did_you_mean(near),
                None => diagnostic.help("the guide to custom modules lists what a module can call"),
            });
            return;
        }
        self.names.uses.entry(self.part.clone()).or_default().insert(name.to_owned());
    }

    /// `json.encod`: the parts of a namespace are known.
    fn member(&mut self, object: &AstExpr, attribute: &str, span: Span) {
        let Expr::Identifier(namespace) = &object.node else { return };
        let namespace = &*namespace.node.ident;
        if self.scopes.iter().any(|scope| scope.contains(namespace)) || self.names.globals.contains(namespace)
        {
            return;
        }
        let Some(members) = eval::members(namespace) else { return };
        if !members.contains(&attribute) {
            let message = format!("`{namespace}` has no `{attribute}`");
            let diagnostic = Diagnostic::new(&UNKNOWN_NAME, span, message);
            self.found.push(match nearest(attribute, members.iter().copied()) {
                Some(near) => diagnostic.did_you_mean(near),
                None => diagnostic.help(format!("it has `{}`", members.join("`, `"))),
            });
        }
    }
}
