//! Expressions.

use super::{
    BUILTINS, Data, HOST_FUNCTIONS, NAMESPACES, Run, fault,
    run::{Arguments, Body, Flow, Interpreter},
    value::{Key, V},
};
use indexmap::IndexMap;
use starlark_syntax::{
    lexer::TokenInt,
    syntax::ast::{Argument, AstArgument, AstExpr, AstLiteral, BinOp, Clause, Expr, ForClause},
};

impl<'a> Interpreter<'a> {
    /// The value of an expression.
    pub fn eval(&mut self, expression: &'a AstExpr) -> Run<V> {
        let result = self.work(1).and_then(|()| self.deeper(|this| this.expression(expression)));
        self.located(result, expression.span)
    }

    fn expression(&mut self, expression: &'a AstExpr) -> Run<V> {
        match &expression.node {
            Expr::Identifier(name) => self.name_value(&name.node.ident),
            Expr::Literal(literal) => self.literal(literal),
            Expr::Call(callee, arguments) => self.call_expression(callee, &arguments.args),
            Expr::Op(left, operator, right) => self.operation(left, *operator, right),
            Expr::Dot(object, attribute) => self.attribute(object, &attribute.node),
            Expr::Index(parts) => {
                let object = self.eval(&parts.0)?;
                let index = self.eval(&parts.1)?;
                self.index(&object, &index)
            }
            Expr::Index2(_) => fault("A value has one index"),
            Expr::Slice(object, from, to, step) => {
                let object = self.eval(object)?;
                let mut bound = |part: &'a Option<Box<AstExpr>>| match part {
                    Some(part) => self.eval(part),
                    None => Ok(V::None),
                };
                let (from, to, step) = (bound(from)?, bound(to)?, bound(step)?);
                self.slice(&object, &from, &to, &step)
            }
            Expr::Not(inner) => {
                let value = self.eval(inner)?;
                Ok(V::Bool(!self.truth(&value)))
            }
            Expr::Minus(inner) => match self.eval(inner)? {
                V::Int(number) => {
                    number.checked_neg().map_or_else(super::operate::overflow, |n| Ok(V::Int(n)))
                }
                V::Float(number) => Ok(V::Float(-number)),
                other => fault(format!("There is no negative {}", other.kind())),
            },
            Expr::Plus(inner) => match self.eval(inner)? {
                number @ (V::Int(_) | V::Float(_)) => Ok(number),
                other => fault(format!("`+` before a {} means nothing", other.kind())),
            },
            Expr::BitNot(inner) => match self.eval(inner)? {
                V::Int(number) => Ok(V::Int(!number)),
                other => fault(format!("`~` before a {} means nothing", other.kind())),
            },
            Expr::If(parts) => {
                let (condition, yes, no) = &**parts;
                let condition = self.eval(condition)?;
                self.eval(if self.truth(&condition) { yes } else { no })
            }
            Expr::List(items) => {
                let items = self.all(items)?;
                self.heap.list(items)
            }
            Expr::Tuple(items) => {
                let items = self.all(items)?;
                self.heap.tuple(items)
            }
            Expr::Dict(pairs) => {
                let mut entries = IndexMap::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let key_value = self.eval(key)?;
                    let key_value = self.heap.key(&key_value);
                    let key_value = self.located(key_value, key.span)?;
                    let value = self.eval(value)?;
                    entries.insert(key_value, value);
                }
                self.heap.dict(entries)
            }
            Expr::Lambda(lambda) => {
                self.closure("lambda", &lambda.params, None, Body::Expression(&lambda.body))
            }
            Expr::ListComprehension(item, first, clauses) => {
                let V::List(list) = self.heap.list(Vec::new())? else { return fault("a list is no list") };
                self.comprehension(first, clauses, &mut |this| {
                    let value = this.eval(item)?;
                    this.heap.pay_items(1)?;
                    this.heap.lists[list].items.push(value);
                    Ok(())
                })?;
                Ok(V::List(list))
            }
            Expr::DictComprehension(item, first, clauses) => {
                let V::Dict(dict) = self.heap.dict(IndexMap::new())? else { return fault("a map is no map") };
                self.comprehension(first, clauses, &mut |this| {
                    let key = this.eval(&item.0)?;
                    let key = this.heap.key(&key)?;
                    let value = this.eval(&item.1)?;
                    this.heap.insert(dict, key, value)
                })?;
                Ok(V::Dict(dict))
            }
            Expr::FString(parts) => {
                let values = self.all(&parts.node.expressions)?;
                self.f_string(&parts.node.format.node, &values)
            }
        }
    }

    fn all(&mut self, expressions: &'a [AstExpr]) -> Run<Vec<V>> {
        expressions.iter().map(|expression| self.eval(expression)).collect()
    }

    fn name_value(&mut self, name: &str) -> Run<V> {
        if let Some(value) = self.lookup(name) {
            return Ok(value);
        }
        match name {
            "None" => return Ok(V::None),
            "True" => return Ok(V::Bool(true)),
            "False" => return Ok(V::Bool(false)),
            "facts" => return self.data(Data::Facts),
            "settings" => return self.data(Data::Settings),
            _ => {}
        }
        let host = HOST_FUNCTIONS.iter().map(|f| f.name);
        if let Some(known) = BUILTINS.iter().copied().chain(host).find(|known| *known == name) {
            return Ok(V::Builtin(known));
        }
        if let Some((namespace, _)) = NAMESPACES.iter().find(|(namespace, _)| *namespace == name) {
            return Ok(V::Namespace(namespace, None));
        }
        fault(format!("`{name}` has no value here"))
    }

    fn literal(&mut self, literal: &AstLiteral) -> Run<V> {
        match literal {
            AstLiteral::String(text) => self.heap.text(text.node.as_str()),
            AstLiteral::Float(number) => Ok(V::Float(number.node)),
            AstLiteral::Int(number) => match &number.node {
                TokenInt::I32(number) => Ok(V::Int(i64::from(*number))),
                TokenInt::BigInt(number) => {
                    number.to_string().parse().map_or_else(|_| super::operate::overflow(), |n| Ok(V::Int(n)))
                }
            },
            AstLiteral::Bytes(_) => fault("There are no byte strings here; use text"),
            AstLiteral::Ellipsis => fault("`...` is no value"),
        }
    }

    fn attribute(&mut self, object: &'a AstExpr, attribute: &str) -> Run<V> {
        match self.eval(object)? {
            V::Namespace(namespace, None) => {
                match super::members(namespace).into_iter().flatten().find(|member| **member == attribute) {
                    Some(member) => Ok(V::Namespace(namespace, Some(member))),
                    None => fault(format!("`{namespace}` has no `{attribute}`")),
                }
            }
            V::Dict(_) => fault(format!(
                "A map has no attribute `{attribute}`; write `[\"{attribute}\"]`, or `.{attribute}()` for a method"
            )),
            other => fault(format!(
                "A {} has no attribute `{attribute}`; a method is called: `.{attribute}()`",
                other.kind()
            )),
        }
    }

    fn call_expression(&mut self, callee: &'a AstExpr, arguments: &'a [AstArgument]) -> Run<V> {
        // Methods are found where they are called.
        if let Expr::Dot(object, method) = &callee.node {
            let object = self.eval(object)?;
            if !matches!(object, V::Namespace(..)) {
                let arguments = self.arguments(arguments)?;
                return self.method(&object, &method.node, arguments);
            }
        }
        let callee = self.eval(callee)?;
        let arguments = self.arguments(arguments)?;
        self.call(&callee, arguments)
    }

    fn arguments(&mut self, written: &'a [AstArgument]) -> Run<Arguments> {
        let mut arguments = Arguments::default();
        for argument in written {
            match &argument.node {
                Argument::Positional(value) => arguments.positional.push(self.eval(value)?),
                Argument::Named(name, value) => {
                    let value = self.eval(value)?;
                    arguments.named.push((name.node.clone(), value));
                }
                Argument::Args(value) => {
                    let value = self.eval(value)?;
                    arguments.positional.extend(self.items(&value)?);
                }
                Argument::KwArgs(value) => {
                    let V::Dict(dict) = self.eval(value)? else {
                        return fault("What stands after `**` is a map");
                    };
                    self.work(self.heap.dicts[dict].entries.len())?;
                    for (key, value) in &self.heap.dicts[dict].entries {
                        let Key::Str(key) = key else { return fault("Names of arguments are text") };
                        arguments.named.push((key.to_string(), value.clone()));
                    }
                }
            }
        }
        Ok(arguments)
    }

    fn operation(&mut self, left: &'a AstExpr, operator: BinOp, right: &'a AstExpr) -> Run<V> {
        let left = self.eval(left)?;
        match operator {
            BinOp::And if !self.truth(&left) => return Ok(left),
            BinOp::Or if self.truth(&left) => return Ok(left),
            BinOp::And | BinOp::Or => return self.eval(right),
            _ => {}
        }
        let right = self.eval(right)?;
        self.operate(operator, &left, &right)
    }

    fn comprehension(
        &mut self,
        first: &'a ForClause,
        clauses: &'a [Clause],
        give: &mut dyn FnMut(&mut Self) -> Run<()>,
    ) -> Run<()> {
        let over = self.eval(&first.over)?;
        let inner = self.push_inner()?;
        let before = std::mem::replace(&mut self.scope, inner);
        self.loop_clause(first, &over, clauses, give)?;
        self.scope = before;
        self.pop(inner);
        Ok(())
    }

    fn loop_clause(
        &mut self,
        clause: &'a ForClause,
        over: &V,
        rest: &'a [Clause],
        give: &mut dyn FnMut(&mut Self) -> Run<()>,
    ) -> Run<()> {
        self.each(over, |this, item| {
            this.assign(&clause.var, item)?;
            this.deeper(|this| this.clauses(rest, give))?;
            Ok(Flow::Next)
        })?;
        Ok(())
    }

    fn clauses(&mut self, clauses: &'a [Clause], give: &mut dyn FnMut(&mut Self) -> Run<()>) -> Run<()> {
        match clauses.split_first() {
            None => give(self),
            Some((Clause::If(condition), rest)) => {
                let condition = self.eval(condition)?;
                if self.truth(&condition) { self.deeper(|this| this.clauses(rest, give)) } else { Ok(()) }
            }
            Some((Clause::For(clause), rest)) => {
                let over = self.eval(&clause.over)?;
                self.loop_clause(clause, &over, rest, give)
            }
        }
    }
}
