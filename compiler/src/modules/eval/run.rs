//! Loading modules, statements, calls.

use super::{
    Data, Host, Limits, Run, convert, fault,
    value::{Heap, V},
};
use crate::{
    modules::{CustomModules, annotation, place},
    source::FileId,
    types::{Map, Type, Value},
};
use starlark_syntax::{
    codemap,
    syntax::ast::{
        AssignOp, AssignTarget, AstAssignTarget, AstExpr, AstParameter, AstStmt, AstTypeExpr, BinOp, Load,
        Parameter, Stmt,
    },
};
use std::collections::HashMap;

/// Names of a function's call, of a comprehension, or of a module.
pub struct Scope<'a> {
    pub names: HashMap<&'a str, V>,
    parent: Option<usize>,
    module: usize,
    /// Whether a function that outlives the scope looks into it.
    kept: bool,
}

/// A function of a module.
pub struct Closure<'a> {
    pub name: &'a str,
    params: &'a [AstParameter],
    defaults: Vec<Option<V>>,
    types: Vec<Option<Type>>,
    returns: Option<Type>,
    body: Body<'a>,
    scope: usize,
}

#[derive(Clone, Copy)]
pub enum Body<'a> {
    Statement(&'a AstStmt),
    Expression(&'a AstExpr),
}

/// Arguments of a call.
#[derive(Default)]
pub struct Arguments {
    pub positional: Vec<V>,
    pub named: Vec<(String, V)>,
}

/// How a statement ended.
pub enum Flow {
    Next,
    Break,
    Continue,
    Return(V),
}

/// One call from outside.
pub struct Interpreter<'a> {
    pub set: &'a CustomModules,
    pub host: &'a dyn Host,
    pub heap: Heap,
    limits: Limits,
    steps: u64,
    asked: u64,
    depth: u32,
    pub scopes: Vec<Scope<'a>>,
    pub scope: usize,
    pub closures: Vec<Closure<'a>>,
    /// The scopes of modules; nothing while a module is being loaded.
    loaded: HashMap<usize, Option<usize>>,
    facts: Option<V>,
    settings: Option<V>,
}

/// Steps between two looks at whether the call must end.
const ASK_EVERY: u64 = 1_000;

/// Most bytes that a call gives out; it travels and is kept.
const RESULT_BYTES: usize = 4 << 20;

/// Stack that is left to whatever a call does besides calling.
const SPARE_STACK_BYTES: usize = 512 * 1024;

/// What a scope costs.
const SCOPE_BYTES: usize = 160;

impl<'a> Interpreter<'a> {
    pub fn new(set: &'a CustomModules, host: &'a dyn Host, limits: Limits) -> Self {
        Self {
            set,
            host,
            heap: Heap::new(limits.memory_bytes),
            limits,
            steps: 0,
            asked: 0,
            depth: 0,
            scopes: Vec::new(),
            scope: 0,
            closures: Vec::new(),
            loaded: HashMap::new(),
            facts: None,
            settings: None,
        }
    }

    /// Loads a module and calls one of its functions.
    pub fn entry(&mut self, module: usize, function: &str, arguments: &Map) -> Run<Value> {
        let scope = self.load(module)?;
        self.heap.freeze();
        let Some(callee) = self.scopes[scope].names.get(function).cloned() else {
            return fault(format!("The module has no function `{function}`"));
        };
        let mut given = Arguments::default();
        for (name, value) in arguments {
            given.named.push((name.clone(), convert::from_value(&mut self.heap, value, 0)?));
        }
        self.scope = scope;
        let result = self.call(&callee, given)?;
        let mut budget = RESULT_BYTES.min(self.limits.memory_bytes);
        convert::to_value(&self.heap, &result, 0, &mut budget)
    }

    /// Counts work: one for a step, more for what goes through many elements.
    pub fn work(&mut self, amount: usize) -> Run<()> {
        self.steps = self.steps.saturating_add(amount as u64);
        if self.steps > self.limits.steps {
            let message =
                format!("The module takes more than {} steps; does a loop not end?", self.limits.steps);
            return fault(message);
        }
        if self.steps - self.asked >= ASK_EVERY {
            self.asked = self.steps;
            if let Some(why) = self.host.stop() {
                return fault(why);
            }
        }
        Ok(())
    }

    /// Does something one level deeper.
    pub fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        let is_full = stacker::remaining_stack().is_some_and(|left| left < SPARE_STACK_BYTES);
        if self.depth >= self.limits.depth || is_full {
            return fault(format!(
                "Calls are nested too deep; does `{}` call itself without an end?",
                self.name()
            ));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn name(&self) -> &str {
        let module = self.scopes.get(self.scope).map_or(0, |s| s.module);
        self.set.modules().get(module).map_or("", |m| &m.name)
    }

    /// A fault that has no place yet is at this one.
    pub fn located<T>(&self, result: Run<T>, span: codemap::Span) -> Run<T> {
        result.map_err(|mut fault| {
            fault.span.get_or_insert_with(|| place(self.file(), span));
            fault
        })
    }

    fn file(&self) -> FileId {
        let module = self.scopes.get(self.scope).map_or(0, |s| s.module);
        self.set.modules().get(module).map_or(FileId(0), |m| m.file)
    }

    /// The scope of a module, which is loaded first where nobody has yet.
    fn load(&mut self, module: usize) -> Run<usize> {
        match self.loaded.get(&module) {
            Some(Some(scope)) => return Ok(*scope),
            Some(None) => return fault("Modules take from each other in a circle"),
            None => {}
        }
        self.loaded.insert(module, None);
        let set = self.set;
        let Some(program) = set.modules().get(module).and_then(|m| m.module.program.as_ref()) else {
            return fault("The module's syntax is wrong; `zester check` says where");
        };
        let before = self.scope;
        let scope = self.push(None, module)?;
        self.scopes[scope].kept = true;
        self.scope = scope;
        self.exec(&program.statement)?;
        self.scope = before;
        self.loaded.insert(module, Some(scope));
        Ok(scope)
    }

    pub fn push(&mut self, parent: Option<usize>, module: usize) -> Run<usize> {
        self.heap.pay(SCOPE_BYTES)?;
        self.scopes.push(Scope { names: HashMap::new(), parent, module, kept: false });
        Ok(self.scopes.len() - 1)
    }

    /// A scope inside of the present one.
    pub fn push_inner(&mut self) -> Run<usize> {
        let module = self.scopes[self.scope].module;
        self.push(Some(self.scope), module)
    }

    /// Leaves a scope; it goes away unless a function looks into it.
    pub fn pop(&mut self, scope: usize) {
        if scope + 1 == self.scopes.len() && !self.scopes[scope].kept {
            self.scopes.pop();
            self.heap.give_back(SCOPE_BYTES);
        }
    }

    /// The value of a name, seen from here.
    pub fn lookup(&self, name: &str) -> Option<V> {
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            if let Some(value) = self.scopes[scope].names.get(name) {
                return Some(value.clone());
            }
            at = self.scopes[scope].parent;
        }
        None
    }

    /// Facts or settings, made once a call.
    pub fn data(&mut self, what: Data) -> Run<V> {
        let known = match what {
            Data::Facts => &self.facts,
            Data::Settings => &self.settings,
        };
        if let Some(value) = known {
            return Ok(value.clone());
        }
        let value = convert::from_value(&mut self.heap, &self.host.data(what), 0)?;
        *match what {
            Data::Facts => &mut self.facts,
            Data::Settings => &mut self.settings,
        } = Some(value.clone());
        Ok(value)
    }

    pub fn exec(&mut self, statement: &'a AstStmt) -> Run<Flow> {
        let result = self.work(1).and_then(|()| self.deeper(|this| this.statement(statement)));
        self.located(result, statement.span)
    }

    fn statement(&mut self, statement: &'a AstStmt) -> Run<Flow> {
        match &statement.node {
            Stmt::Statements(inner) => {
                for statement in inner {
                    match self.exec(statement)? {
                        Flow::Next => {}
                        other => return Ok(other),
                    }
                }
            }
            Stmt::Expression(expression) => drop(self.eval(expression)?),
            Stmt::Return(None) => return Ok(Flow::Return(V::None)),
            Stmt::Return(Some(value)) => return Ok(Flow::Return(self.eval(value)?)),
            Stmt::Assign(assign) => {
                let value = self.eval(&assign.rhs)?;
                self.assign(&assign.lhs, value)?;
            }
            Stmt::AssignModify(target, operator, value) => self.modify(target, *operator, value)?,
            Stmt::If(condition, then) => {
                if self.condition(condition)? {
                    return self.exec(then);
                }
            }
            Stmt::IfElse(condition, both) => {
                let taken = if self.condition(condition)? { &both.0 } else { &both.1 };
                return self.exec(taken);
            }
            Stmt::For(inner) => {
                let over = self.eval(&inner.over)?;
                return self.each(&over, |this, item| {
                    this.assign(&inner.var, item)?;
                    this.exec(&inner.body)
                });
            }
            Stmt::Def(def) => {
                let function = self.closure(
                    &def.name.node.ident,
                    &def.params,
                    def.return_type.as_deref(),
                    Body::Statement(&def.body),
                )?;
                self.bind(&def.name.node.ident, function)?;
            }
            Stmt::Load(load) => self.take(load)?,
            Stmt::Break => return Ok(Flow::Break),
            Stmt::Continue => return Ok(Flow::Continue),
            Stmt::Pass => {}
        }
        Ok(Flow::Next)
    }

    fn take(&mut self, load: &'a Load) -> Run<()> {
        let from = self.scopes[self.scope].module;
        let Some(module) = self.set.loaded(from, &load.module.node) else {
            return fault(format!("There is no module `{}` beside this one", load.module.node));
        };
        let scope = self.load(module)?;
        for argument in &load.args {
            let name = &argument.their.node;
            let value =
                self.scopes[scope].names.get(name.as_str()).filter(|_| !name.starts_with('_')).cloned();
            let Some(value) = value else {
                return fault(format!("`{}` has no `{name}` for others", load.module.node));
            };
            self.bind(&argument.local.node.ident, value)?;
        }
        Ok(())
    }

    fn condition(&mut self, condition: &'a AstExpr) -> Run<bool> {
        let value = self.eval(condition)?;
        Ok(self.truth(&value))
    }

    pub fn bind(&mut self, name: &'a str, value: V) -> Run<()> {
        self.heap.pay_items(1)?;
        self.scopes[self.scope].names.insert(name, value);
        Ok(())
    }

    pub fn assign(&mut self, target: &'a AstAssignTarget, value: V) -> Run<()> {
        let result = self.assign_to(target, value);
        self.located(result, target.span)
    }

    fn assign_to(&mut self, target: &'a AstAssignTarget, value: V) -> Run<()> {
        match &target.node {
            AssignTarget::Identifier(name) => {
                // A variable that is set again costs nothing more.
                if let Some(known) = self.scopes[self.scope].names.get_mut(&*name.node.ident) {
                    *known = value;
                    return Ok(());
                }
                self.bind(&name.node.ident, value)
            }
            AssignTarget::Tuple(targets) => {
                let items = self.items(&value)?;
                if items.len() != targets.len() {
                    return fault(format!(
                        "{} values cannot be given to {} names",
                        items.len(),
                        targets.len()
                    ));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
                Ok(())
            }
            AssignTarget::Index(parts) => {
                let object = self.eval(&parts.0)?;
                let index = self.eval(&parts.1)?;
                self.set_index(&object, &index, value)
            }
            AssignTarget::Dot(..) => fault("Values have no attributes that could be set"),
        }
    }

    fn modify(&mut self, target: &'a AstAssignTarget, operator: AssignOp, value: &'a AstExpr) -> Run<()> {
        let operator = match operator {
            AssignOp::Add => BinOp::Add,
            AssignOp::Subtract => BinOp::Subtract,
            AssignOp::Multiply => BinOp::Multiply,
            AssignOp::Divide => BinOp::Divide,
            AssignOp::FloorDivide => BinOp::FloorDivide,
            AssignOp::Percent => BinOp::Percent,
            AssignOp::BitAnd => BinOp::BitAnd,
            AssignOp::BitOr => BinOp::BitOr,
            AssignOp::BitXor => BinOp::BitXor,
            AssignOp::LeftShift => BinOp::LeftShift,
            AssignOp::RightShift => BinOp::RightShift,
        };
        match &target.node {
            AssignTarget::Identifier(name) => {
                let name = &name.node.ident;
                // A name of outside is not this function's to change.
                let Some(before) = self.scopes[self.scope].names.get(&**name).cloned() else {
                    return fault(format!("`{name}` has no value here yet"));
                };
                let value = self.eval(value)?;
                let after = self.modified(before, operator, value)?;
                self.assign(target, after)
            }
            AssignTarget::Index(parts) => {
                let object = self.eval(&parts.0)?;
                let index = self.eval(&parts.1)?;
                let before = self.index(&object, &index)?;
                let value = self.eval(value)?;
                let after = self.modified(before, operator, value)?;
                self.set_index(&object, &index, after)
            }
            AssignTarget::Tuple(_) | AssignTarget::Dot(..) => fault("This cannot be changed in place"),
        }
    }

    /// `list += items` changes the list itself, as in Python.
    fn modified(&mut self, before: V, operator: BinOp, value: V) -> Run<V> {
        if let (V::List(list), BinOp::Add) = (&before, operator) {
            let items = self.items(&value)?;
            self.heap.pay_items(items.len())?;
            self.heap.changing_list(*list)?.extend(items);
            return Ok(before);
        }
        self.operate(operator, &before, &value)
    }

    /// Does something for each element, which stays as it is meanwhile.
    pub fn each(&mut self, over: &V, mut work: impl FnMut(&mut Self, V) -> Run<Flow>) -> Run<Flow> {
        let mut at = 0;
        self.hold(over, true);
        loop {
            let item = match over {
                V::List(list) => self.heap.lists[*list].items.get(at).cloned(),
                V::Tuple(tuple) => self.heap.tuples[*tuple].get(at).cloned(),
                V::Dict(dict) => {
                    match self.heap.dicts[*dict].entries.get_index(at).map(|(key, _)| key.clone()) {
                        Some(key) => Some(self.heap.of_key(&key)?),
                        None => None,
                    }
                }
                V::Range(range) => super::operate::range_at(range, at).map(V::Int),
                other => return fault(format!("A {} cannot be gone through", other.kind())),
            };
            let Some(item) = item else { break };
            at += 1;
            self.work(1)?;
            match work(self, item)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => break,
                Flow::Return(value) => {
                    self.hold(over, false);
                    return Ok(Flow::Return(value));
                }
            }
        }
        self.hold(over, false);
        Ok(Flow::Next)
    }

    fn hold(&mut self, over: &V, begins: bool) {
        let busy = match over {
            V::List(list) => &mut self.heap.lists[*list].busy,
            V::Dict(dict) => &mut self.heap.dicts[*dict].busy,
            _ => return,
        };
        *busy = if begins { busy.saturating_add(1) } else { busy.saturating_sub(1) };
    }

    /// The elements of something, copied.
    pub fn items(&mut self, over: &V) -> Run<Vec<V>> {
        let count = self.length(over).filter(|_| !matches!(over, V::Str(_)));
        let Some(count) = count else {
            return fault(format!("A {} cannot be gone through", over.kind()));
        };
        self.heap.afford(count.saturating_mul(32))?;
        self.work(count / 8)?;
        let mut items = Vec::with_capacity(count);
        match over {
            V::List(list) => items.extend(self.heap.lists[*list].items.iter().cloned()),
            V::Tuple(tuple) => items.extend(self.heap.tuples[*tuple].iter().cloned()),
            V::Range(range) => {
                items.extend((0..count).filter_map(|at| super::operate::range_at(range, at)).map(V::Int));
            }
            V::Dict(dict) => {
                let keys: Vec<_> = self.heap.dicts[*dict].entries.keys().cloned().collect();
                for key in &keys {
                    items.push(self.heap.of_key(key)?);
                }
            }
            _ => {}
        }
        Ok(items)
    }

    /// Makes a function.
    pub fn closure(
        &mut self,
        name: &'a str,
        params: &'a [AstParameter],
        returns: Option<&'a AstTypeExpr>,
        body: Body<'a>,
    ) -> Run<V> {
        self.heap.pay(SCOPE_BYTES + params.len() * 64)?;
        let (mut defaults, mut types) = (Vec::with_capacity(params.len()), Vec::with_capacity(params.len()));
        // What is wrong with an annotation, `check` has said.
        let mut said = Vec::new();
        let file = self.file();
        for param in params {
            let (ty, default) = match &param.node {
                Parameter::Normal(_, ty, default) => (ty.as_deref(), default.as_deref()),
                _ => (None, None),
            };
            types.push(ty.map(|ty| annotation::read(file, &ty.node.expr, &mut said)));
            defaults.push(match default {
                Some(default) => Some(self.eval(default)?),
                None => None,
            });
        }
        let returns = returns.map(|ty| annotation::read(file, &ty.node.expr, &mut said));
        // All scopes from here outwards stay for the function.
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            self.scopes[scope].kept = true;
            at = self.scopes[scope].parent;
        }
        self.closures.push(Closure { name, params, defaults, types, returns, body, scope: self.scope });
        Ok(V::Function(self.closures.len() - 1))
    }

    /// Calls something.
    pub fn call(&mut self, callee: &V, arguments: Arguments) -> Run<V> {
        self.work(1)?;
        match callee {
            V::Function(function) => self.call_function(*function, arguments),
            V::Builtin(name) => self.builtin(name, arguments),
            V::Namespace(namespace, Some(member)) => self.member(namespace, member, arguments),
            other => fault(format!("A {} cannot be called", other.kind())),
        }
    }

    fn call_function(&mut self, function: usize, arguments: Arguments) -> Run<V> {
        let Closure { name, params, body, scope, .. } = self.closures[function];
        let module = self.scopes[scope].module;
        let inner = self.push(Some(scope), module)?;
        self.bind_arguments(function, name, params, inner, arguments)?;
        let before = std::mem::replace(&mut self.scope, inner);
        let result = match body {
            Body::Statement(statement) => match self.exec(statement)? {
                Flow::Return(value) => value,
                _ => V::None,
            },
            Body::Expression(expression) => self.eval(expression)?,
        };
        if let Some(returns) = self.closures[function].returns.clone() {
            self.work(1)?;
            if !convert::fits(&self.heap, &result, &returns, 0) {
                let span = match body {
                    Body::Statement(statement) => statement.span,
                    Body::Expression(expression) => expression.span,
                };
                let message =
                    format!("`{name}` gives {}, and its type is `{returns}`", convert::described(&result));
                let found = fault(message);
                return self.located(found, span);
            }
        }
        self.scope = before;
        self.pop(inner);
        Ok(result)
    }

    fn bind_arguments(
        &mut self,
        function: usize,
        name: &'a str,
        params: &'a [AstParameter],
        scope: usize,
        arguments: Arguments,
    ) -> Run<()> {
        let mut positional = arguments.positional.into_iter();
        let mut named: indexmap::IndexMap<String, V> = indexmap::IndexMap::new();
        for (key, value) in arguments.named {
            if named.contains_key(&key) {
                return fault(format!("`{name}` is given `{key}` twice"));
            }
            named.insert(key, value);
        }
        let mut by_name_only = false;
        let mut rest: Option<&'a str> = None;
        for (at, param) in params.iter().enumerate() {
            match &param.node {
                Parameter::NoArgs => by_name_only = true,
                Parameter::Slash => {}
                Parameter::Args(ident, _) => {
                    by_name_only = true;
                    let rest = self.heap.tuple(positional.by_ref().collect())?;
                    self.scopes[scope].names.insert(&ident.node.ident, rest);
                }
                Parameter::KwArgs(ident, _) => rest = Some(&ident.node.ident),
                Parameter::Normal(ident, ..) => {
                    let word: &'a str = &ident.node.ident;
                    let by_place = if by_name_only { None } else { positional.next() };
                    let value = match (by_place, named.shift_remove(word)) {
                        (Some(_), Some(_)) => return fault(format!("`{name}` is given `{word}` twice")),
                        (Some(value), None) | (None, Some(value)) => value,
                        (None, None) => match self.closures[function].defaults.get(at).cloned().flatten() {
                            Some(default) => default,
                            None => return fault(format!("`{name}` needs the argument `{word}`")),
                        },
                    };
                    if let Some(Some(ty)) = self.closures[function].types.get(at)
                        && !convert::fits(&self.heap, &value, ty, 0)
                    {
                        let found = convert::described(&value);
                        return fault(format!("`{word}` of `{name}` is {found}, and its type is `{ty}`"));
                    }
                    self.scopes[scope].names.insert(word, value);
                }
            }
        }
        if positional.next().is_some() {
            return fault(format!("`{name}` is given too many arguments"));
        }
        match rest {
            Some(rest) => {
                let mut entries = indexmap::IndexMap::new();
                for (key, value) in named {
                    let key = self.heap.text(key)?;
                    entries.insert(self.heap.key(&key)?, value);
                }
                let value = self.heap.dict(entries)?;
                self.scopes[scope].names.insert(rest, value);
            }
            None => {
                if let Some((key, _)) = named.first() {
                    return fault(format!("`{name}` has no argument `{key}`"));
                }
            }
        }
        Ok(())
    }
}
