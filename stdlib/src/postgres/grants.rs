//! What a role may do with the objects of a server, as `aclexplode` tells it.

use super::client::{Server, check_name, identifier, literal};
use crate::{Changes, Context, Failure, change};
use serde::Deserialize;
use std::collections::BTreeSet;
use zester_stdlib_derive::Arguments;

/// The one privilege of a group: to be in it.
const MEMBER: &str = "MEMBER";

/// Whose privileges, and on what.
#[derive(Arguments)]
#[shared]
pub(super) struct Target {
    /// The user or group; `public` for everybody.
    #[arg(primary)]
    pub(super) name: String,
    /// The object: a table's name, for a function with the types of its arguments, as `add(integer, integer)`; `ALL` for all tables, sequences or
    /// functions of the schema.
    object_name: String,
    /// What kind of object it is.
    #[arg(one_of("table", "sequence", "schema", "database", "language", "tablespace", "group", "function"))]
    object_type: String,
    /// The privileges, as `[SELECT, INSERT]`, or `ALL`; a group has none of its own.
    privileges: Vec<String>,
    /// The schema of tables, sequences and functions.
    #[arg(default = "public")]
    prepend: String,
    /// How the server is reached.
    #[arg(flatten)]
    pub(super) server: Server,
}

/// An object, and what the role may do with it.
#[derive(Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Object {
    /// Its name in SQL.
    #[serde(rename = "object")]
    sql: String,
    /// Whether there is such a role.
    role: bool,
    /// What the role may do.
    privileges: BTreeSet<String>,
    /// What it may allow others.
    grantable: BTreeSet<String>,
    /// All that anybody may do with such an object.
    every: BTreeSet<String>,
}

impl Target {
    fn is_public(&self) -> bool {
        self.name.eq_ignore_ascii_case("public")
    }

    fn is_all(&self) -> bool {
        self.object_name == "ALL" && matches!(self.object_type.as_str(), "table" | "sequence" | "function")
    }

    /// Whether it is about being in a group.
    pub(super) fn is_group(&self) -> bool {
        self.object_type == "group"
    }

    /// The privileges as the author wrote them.
    pub(super) fn privileges(&self) -> &[String] {
        &self.privileges
    }

    /// The role as SQL names it.
    pub(super) fn role(&self) -> String {
        if self.is_public() { "PUBLIC".to_owned() } else { identifier(&self.name) }
    }

    /// What messages call the object.
    pub(super) fn shown(&self) -> String {
        match self.object_type.as_str() {
            "table" | "sequence" | "function" if self.is_all() => {
                format!("all {}s of the schema `{}`", self.object_type, self.prepend)
            }
            kind @ ("table" | "sequence" | "function") => {
                format!("the {kind} `{}.{}`", self.prepend, self.object_name)
            }
            kind => format!("the {kind} `{}`", self.object_name),
        }
    }

    /// A query whose rows are the objects: their name in SQL, owner and privileges.
    fn objects(&self) -> String {
        let name = literal(&self.object_name);
        let relations = |kinds: &str| {
            let one = if self.is_all() { String::new() } else { format!(" AND c.relname = {name}") };
            format!(
                "SELECT format('%I.%I', n.nspname, c.relname) AS object, c.relacl AS acl, c.relowner AS owner \
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ({kinds}) AND n.nspname = {}{one}",
                literal(&self.prepend)
            )
        };
        let plain = |table: &str, stem: &str, owner: &str| {
            format!(
                "SELECT quote_ident({stem}name) AS object, {stem}acl AS acl, {owner} AS owner FROM {table} \
                 WHERE {stem}name = {name}"
            )
        };
        match self.object_type.as_str() {
            "table" => relations("'r', 'p', 'v', 'm', 'f'"),
            "sequence" => relations("'S'"),
            "schema" => plain("pg_namespace", "nsp", "nspowner"),
            "database" => plain("pg_database", "dat", "datdba"),
            "language" => plain("pg_language", "lan", "lanowner"),
            "tablespace" => plain("pg_tablespace", "spc", "spcowner"),
            _ => {
                let (function, types) = self.object_name.split_once('(').unwrap_or((&self.object_name, ")"));
                let call = format!("{}.{}({types}", identifier(&self.prepend), identifier(function.trim()));
                let one = if self.is_all() {
                    String::new()
                } else {
                    format!(" AND p.oid = to_regprocedure({})", literal(&call))
                };
                format!(
                    "SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) \
                     AS object, p.proacl AS acl, p.proowner AS owner \
                     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                     WHERE p.prokind <> 'p' AND n.nspname = {}{one}",
                    literal(&self.prepend)
                )
            }
        }
    }

    fn query(&self) -> String {
        let name = literal(&self.name);
        let role = if self.is_public() {
            "0::oid".to_owned()
        } else {
            format!("(SELECT oid FROM pg_roles WHERE rolname = {name})")
        };
        if self.is_group() {
            let members = |and: &str| {
                format!(
                    "ARRAY(SELECT DISTINCT '{MEMBER}' FROM pg_auth_members m WHERE m.roleid = g.oid AND m.member = {role}{and})"
                )
            };
            return format!(
                "SELECT quote_ident(g.rolname) AS object, {role} IS NOT NULL AS role, {} AS privileges, \
                 {} AS grantable, ARRAY['{MEMBER}'] AS every FROM pg_roles g WHERE g.rolname = {}",
                members(""),
                members(" AND m.admin_option"),
                literal(&self.object_name)
            );
        }
        let kind = match self.object_type.as_str() {
            "table" => 'r',
            "sequence" => 's',
            "schema" => 'n',
            "database" => 'd',
            "language" => 'l',
            "tablespace" => 't',
            _ => 'f',
        };
        let held = |and: &str| {
            format!(
                "ARRAY(SELECT DISTINCT a.privilege_type FROM aclexplode(COALESCE(o.acl, acldefault('{kind}', o.owner))) a \
                 WHERE a.grantee = {role}{and})"
            )
        };
        format!(
            "SELECT o.object, {role} IS NOT NULL AS role, {} AS privileges, {} AS grantable, \
             ARRAY(SELECT a.privilege_type FROM aclexplode(acldefault('{kind}', 10)) a WHERE a.grantee = 10) AS every \
             FROM ({}) o ORDER BY o.object",
            held(""),
            held(" AND a.is_grantable"),
            self.objects()
        )
    }

    /// The objects. In a test run there may be none: an earlier state may make them.
    pub(super) fn find(&self, cx: &Context) -> Result<Vec<Object>, Failure> {
        check_name("user", &self.name)?;
        if self.is_group() {
            check_name("group", &self.object_name)?;
        } else if self.privileges.is_empty() {
            return Err(Failure::new(format!(
                "no `privileges` are named for `{}` on {}; name them, as `[SELECT]`, or say `ALL`",
                self.name,
                self.shown()
            )));
        }
        let objects: Vec<Object> = self.server.ask(cx, None, &self.query())?.unwrap_or_default();
        if !cx.test && !self.is_all() && objects.is_empty() {
            return Err(Failure::new(format!("there is no {}", self.shown().trim_start_matches("the "))));
        }
        if let Some(object) = objects.first() {
            if !object.role && !cx.test {
                return Err(Failure::new(format!("there is no user `{}`", self.name)));
            }
            self.wanted(object)?;
        }
        Ok(objects)
    }

    /// The privileges that are named, as the server calls them.
    pub(super) fn wanted(&self, object: &Object) -> Result<BTreeSet<String>, Failure> {
        if self.is_group() {
            return Ok(object.every.clone());
        }
        let mut wanted = BTreeSet::new();
        for word in self.privileges.iter().flat_map(|text| text.split(',')) {
            let word = word.trim().to_ascii_uppercase();
            match word.as_str() {
                "ALL" | "ALL PRIVILEGES" => wanted.extend(object.every.iter().cloned()),
                "TEMP" => drop(wanted.insert("TEMPORARY".to_owned())),
                _ if object.every.contains(&word) => drop(wanted.insert(word)),
                _ => {
                    let all: Vec<&str> = object.every.iter().map(String::as_str).collect();
                    return Err(Failure::new(format!(
                        "`{word}` is no privilege of a {}; those are {}",
                        self.object_type,
                        all.join(", ")
                    )));
                }
            }
        }
        Ok(wanted)
    }

    /// `GRANT` or `REVOKE` on one object.
    pub(super) fn sentence(&self, verb: &str, object: &Object, privileges: &BTreeSet<String>) -> String {
        let to = if verb == "GRANT" { "TO" } else { "FROM" };
        if self.is_group() {
            return format!("{verb} {} {to} {}", object.sql, self.role());
        }
        let privileges: Vec<&str> = privileges.iter().map(String::as_str).collect();
        let kind = self.object_type.to_ascii_uppercase();
        format!("{verb} {} ON {kind} {} {to} {}", privileges.join(", "), object.sql, self.role())
    }
}

impl Object {
    /// Those of these privileges that are not held; with `grantable` those that others cannot be allowed.
    pub(super) fn missing(&self, wanted: &BTreeSet<String>, grantable: bool) -> BTreeSet<String> {
        let held = if grantable { &self.grantable } else { &self.privileges };
        wanted.difference(held).cloned().collect()
    }

    /// Those of these privileges that are held.
    pub(super) fn held(&self, unwanted: &BTreeSet<String>) -> BTreeSet<String> {
        unwanted.intersection(&self.privileges).cloned().collect()
    }

    /// Adds what changes.
    pub(super) fn note(&self, more: &BTreeSet<String>, less: &BTreeSet<String>, changes: &mut Changes) {
        let list = |set: BTreeSet<&String>| set.into_iter().cloned().collect::<Vec<String>>();
        let old = list(self.privileges.iter().collect());
        let new = list(self.privileges.union(more).filter(|privilege| !less.contains(*privilege)).collect());
        changes.insert(self.sql.clone(), change(old, new));
    }
}
