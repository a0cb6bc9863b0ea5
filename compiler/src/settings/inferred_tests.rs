//! What is inferred of whole trees.

use super::{Found, Inferred, Setting, Written};
use crate::{
    check::{CheckOptions, Memory, workspace::Workspace},
    project::{OpenOptions, Project},
    source::MemorySources,
    types::Registry,
};
use std::{fmt::Write as _, sync::Arc};

fn with(files: &[(&str, &str)], see: impl FnOnce(&Inferred, &Workspace<'_>)) {
    let mut sources = MemorySources::new().with("states/top.zy", "");
    for (path, text) in files {
        sources.insert(*path, text);
    }
    let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
    let registry = Registry::default();
    let (workspace, _) = Workspace::open(
        &project,
        &registry,
        &crate::modules::CustomModules::default(),
        &CheckOptions::default(),
        &mut Memory::default(),
    )
    .unwrap();
    see(&Inferred::of(&workspace), &workspace);
}

/// The tree as lines: path, what is written, `?` where it is open.
fn shown(setting: &Setting, path: &str, out: &mut String) {
    let written: Vec<String> = setting
        .definitions
        .iter()
        .map(|d| {
            let what = match &d.written {
                Written::Scalar(value) => serde_json::to_string(value).unwrap(),
                Written::Text => "text".to_owned(),
                Written::Mixed => "mixed".to_owned(),
                Written::Expr(ty) => format!("expr {ty}"),
                Written::List => "list".to_owned(),
                Written::Map => "map".to_owned(),
                Written::Unknown => "unknown".to_owned(),
            };
            let secret = if d.secret { "!" } else { "" };
            let hollow = if d.hollow { " or nothing" } else { "" };
            let certain = if d.certain { "" } else { "~" };
            format!("{certain}{secret}{what}{hollow}")
        })
        .collect();
    let open = if setting.open { " ?" } else { "" };
    let _ = writeln!(out, "{path}: {}{open}", written.join(", "));
    for (key, child) in &setting.children {
        shown(child, &format!("{path}.{key}"), out);
    }
    if let Some(item) = &setting.item {
        shown(item, &format!("{path}[]"), out);
    }
    if let Some(computed) = &setting.computed {
        shown(computed, &format!("{path}{{}}"), out);
    }
}

fn lines(files: &[(&str, &str)]) -> String {
    let mut out = String::new();
    with(files, |inferred, _| shown(&inferred.root, "", &mut out));
    out
}

#[test]
fn every_file_and_branch_counts() {
    let found = lines(&[
        ("settings/top.zy", "base: {'*': [a]}"),
        (
            "settings/a.zy",
            "nginx:\n  port: 80\n{% if grains.os == 'Debian' %}\n  user: www-data\n{% else %}\n  user: nginx\n{% endif %}\n\
             list: [1, {a: x}]\nurl: http://{{ host }}/\nexpr: {{ x }}\nmixed: {{ x }}{{ y }}\nsecret: !encrypted hunter2\nempty:\n",
        ),
        ("settings/b.zy", "nginx: {port: {{ p }}}\nlist: none\n"),
    ]);
    assert_eq!(
        found,
        ": map, map\n\
         .nginx: map, map\n\
         .nginx.port: 80, expr any ?\n\
         .nginx.user: ~\"www-data\", ~\"nginx\"\n\
         .list: list, \"none\"\n\
         .list[]: 1, map\n\
         .list[].a: \"x\"\n\
         .url: text\n\
         .expr: expr any ?\n\
         .mixed: mixed ?\n\
         .secret: !text\n\
         .empty: null\n"
    );
}

#[test]
fn what_is_not_known_is_open() {
    let found = lines(&[(
        "settings/a.zy",
        "users:\n{% for u in ['a'] %}\n  {{ u }}:\n    uid: 1\n{% endfor %}\n\
         more:\n{{ entries() }}\n  known: 1\n\
         base: &b {x: 1}\nmerged:\n  <<: *b\n  y: 2\nother:\n  <<: {{ z }}\n__merge__: append\n\
         some:\n{% if grains.os == 'x' %}\n  a: 1\n{% endif %}\n",
    )]);
    assert_eq!(
        found,
        ": map\n\
         .users: map or nothing ?\n\
         .users{}: ~map\n\
         .users{}.uid: ~1\n\
         .more: map ?\n\
         .more.known: 1\n\
         .base: map\n\
         .base.x: 1\n\
         .merged: map\n\
         .merged.x: 1\n\
         .merged.y: 2\n\
         .other: map ?\n\
         .some: map or nothing\n\
         .some.a: ~1\n"
    );
}

#[test]
fn included_files_stand_below_their_keys() {
    let found = lines(&[
        ("settings/top.zy", "base: {'*': [a]}"),
        ("settings/a.zy", "include:\n  - b: {key: 'x:y'}\n  - c\none: 1\n"),
        ("settings/b.zy", "two: 2\n"),
        ("settings/c.zy", "three: 3\n"),
    ]);
    assert_eq!(found, ": map, map\n.one: 1\n.x: ~map\n.x.y: ~map, map\n.x.y.two: 2\n.three: 3\n");
}

#[test]
fn foreign_and_broken_files_are_open() {
    assert_eq!(lines(&[("settings/a.zy", "#!py\ndef run():\n  return {}\n")]), ":  ?\n");
    assert_eq!(lines(&[("settings/a.zy", "a: [1\nb: 2\n")]).lines().next(), Some(": map ?"));
    with(&[("states/a.zy", "a: test.nop\n")], |inferred, _| {
        assert!(!inferred.is_known());
        assert!(matches!(inferred.find(["a"]), Found::Perhaps));
    });
}

#[test]
fn a_path_leads_somewhere_or_says_where_it_ends() {
    let files = [
        ("settings/schema.zy", "nginx: {workers: {type: int}}\n"),
        ("settings/a.zy", "nginx: {port: 80, list: [{a: 1}], open: {{ x }}}\n"),
    ];
    with(&files, |inferred, _| {
        assert!(matches!(inferred.find(["nginx", "port"]), Found::Setting(_)));
        assert!(matches!(inferred.find(["nginx", "workers"]), Found::Setting(s) if s.declared.is_some()));
        assert!(matches!(inferred.find(["nginx", "list", "0", "a"]), Found::Setting(_)));
        assert!(matches!(inferred.find(["nginx", "open", "x"]), Found::Perhaps));
        let Found::Nothing { depth, nearest, .. } = inferred.find(["nginx", "prot", "x"]) else { panic!() };
        assert_eq!((depth, nearest.map(|n| n.0)), (1, Some("port")));
    });
}

#[test]
fn what_every_peel_has_is_known() {
    let files = [
        ("settings/top.zy", "base:\n  '*': [a]\n  'web*': [b]\n"),
        (
            "settings/a.zy",
            "include: [c]\nnginx:\n  port: 80\n{% if grains.os == 'x' %}\n  user: a\n{% elif grains.os == 'y' %}\n  user: b\n{% else %}\n  user: c\n{% endif %}\n\
             {% if grains.os == 'x' %}\nsome: 1\n{% endif %}\n",
        ),
        ("settings/b.zy", "web: 1\n"),
        ("settings/c.zy", "common: {a: 1}\n"),
    ];
    with(&files, |inferred, workspace| {
        let everywhere = |path: &str| inferred.everywhere(workspace, &path.split('.').collect::<Vec<_>>());
        for path in ["nginx.port", "nginx.user", "common.a", "nginx"] {
            assert!(everywhere(path), "{path}");
        }
        for path in ["some", "web", "nothing", "nginx.x"] {
            assert!(!everywhere(path), "{path}");
        }
    });
}

#[test]
fn a_change_below_keys_is_what_reading_all_files_would_give() {
    let others = [
        ("settings/top.zy", "base:\n  '*': [a, b, d]\n"),
        ("settings/b.zy", "nginx: {port: 81, users: [x]}\nonly_b: 1\n"),
        ("settings/c.zy", "common: {a: 1}\n"),
        ("settings/d.zy", "include:\n  - c: {key: nested}\nmore: 1\n"),
        (
            "settings/schema.zy",
            "nginx:\n  port: {type: port}\n  workers: {type: int}\nroot: {a: {type: int}}\nrest: {type: str}\n",
        ),
    ];
    let before = "nginx: {port: 80, user: www}\nweb: {a: [1, {b: 2}]}\n";
    let of = |text: &str, see: &mut dyn FnMut(&Inferred, &Workspace<'_>)| {
        let files: Vec<_> = others.into_iter().chain([("settings/a.zy", text)]).collect();
        with(&files, |inferred, workspace| see(inferred, workspace));
    };
    let mut first = None;
    of(before, &mut |inferred, _| first = Some(inferred.clone()));
    let first = first.unwrap();
    for (text, read_again) in [
        ("nginx: {port: '80', user: !encrypted x, new: {c: 1}}\nweb: {a: [1]}\n", Some("nginx web")),
        ("nginx:\n  __merge__: append\n  {{ x }}: 1\nweb: {{ y }}\n", Some("nginx web")),
        ("{% if x %}\nnginx: 1\n{% endif %}\nweb:\n  - a\n", Some("nginx web")),
        // Keys that come and go, that another file is the first to write now, that are declared, in another order.
        ("new: 1\nnginx: {port: 80}\nother: 1\nweb: 1\nonly_b: 2\n", Some("nginx web only_b new other")),
        ("web: 1\n", Some("nginx web")),
        ("web: 1\nnginx: {port: 80}\n", Some("nginx web")),
        ("only_b: 1\nlast: 1\nnginx: {a: 1}\n", Some("nginx web only_b last")),
        ("web: {}\nroot: {a: 1}\n", Some("nginx web root")),
        // Below keys of an include; something that is open at the top, an include: all files are read.
        ("nginx: {port: 80}\nnested: 1\n", None),
        ("nginx: {port: 80}\nweb: 1\n{{ x }}: 1\n", None),
        ("include: [c]\nnginx: {port: 80}\nweb: 1\n", None),
        ("nginx: {port: 80}\nweb: [\n", None),
        ("- nginx\n", None),
    ] {
        of(text, &mut |inferred, workspace| {
            let changed = workspace.units.iter().position(|unit| &*unit.path == "settings/a.zy").unwrap();
            let again = first.after(workspace, &[changed]);
            assert_eq!(again.as_ref().map(|(_, keys)| keys.join(" ")).as_deref(), read_again, "{text}");
            let Some((again, _)) = again else { return };
            let (mut all, mut some) = (String::new(), String::new());
            shown(&inferred.root, "", &mut all);
            shown(&again.root, "", &mut some);
            assert_eq!(some, all, "{text}");
            assert_eq!(again.plain, inferred.plain, "{text}");
            let keys = |of: &Inferred| of.root.children.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&again), keys(inferred), "{text}");
            let unit =
                |of: &Inferred| of.root.definitions.iter().map(|d| (d.unit, d.certain)).collect::<Vec<_>>();
            assert_eq!(unit(&again), unit(inferred), "{text}");
        });
    }
}
