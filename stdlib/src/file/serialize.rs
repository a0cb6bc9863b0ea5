//! `file.serialize`

use super::{
    attributes::{Attributes, FileMode},
    backup::Backup,
    desired::Desired,
    diff::Show,
    path, serializer, text,
};
use crate::{Context, Failure, Plan, State};
use zester_compiler::types::{Group, Map, Path, User, Value};
use zester_stdlib_derive::Arguments;

/// Writes data into a file: YAML, JSON, INI or plain text.
#[derive(Arguments)]
#[state("file.serialize", exactly_one_of("dataset", "dataset_pillar"))]
pub(crate) struct Serialize {
    /// The file's path.
    #[arg(primary, alias = "path")]
    name: Path,
    /// The data.
    dataset: Option<Value>,
    /// Path of a setting that holds the data, keys separated by `:`.
    #[arg(alias = "dataset_settings")]
    dataset_pillar: Option<String>,
    /// `yaml`, `json`, `configparser` (INI), or `plaintext`.
    #[arg(
        alias = "formatter",
        one_of("yaml", "yamlex", "yaml_safe", "json", "configparser", "ini", "plaintext")
    )]
    serializer: Option<String>,
    /// Options for writing: `indent`, `sort_keys` and, for INI, `space_around_delimiters`.
    #[arg(ty = Type::Any)]
    serializer_opts: Option<Value>,
    /// Options for reading.
    #[arg(ty = Type::Any, inert = "an existing file is read by the format's own rules")]
    deserializer_opts: Option<Value>,
    /// Whether the data is merged into what the file holds already.
    #[arg(default = false)]
    merge_if_exists: bool,
    /// Owner of the file.
    user: Option<User>,
    /// Group of the file.
    group: Option<Group>,
    /// Permission bits.
    mode: Option<FileMode>,
    /// Whether missing parent directories are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Permission bits of parents that are made.
    dir_mode: Option<FileMode>,
    /// Whether a missing file is made.
    #[arg(default = true)]
    create: bool,
    /// Keeps a copy of the old file: `minion`, or a suffix.
    backup: Backup,
    /// Whether the difference is shown.
    #[arg(default = true)]
    show_changes: bool,
    /// Environment of the state tree.
    #[arg(alias = "saltenv", inert = "data comes from the state itself")]
    env: Option<String>,
    /// Name of the file `check_cmd` sees.
    #[arg(inert = "`check_cmd` runs after the file is written; `file.managed` checks before")]
    tmp_ext: Option<String>,
    /// Directory of the file `check_cmd` sees.
    #[arg(inert = "`check_cmd` runs after the file is written; `file.managed` checks before")]
    tmp_dir: Option<String>,
    /// Encoding of the file.
    #[arg(inert = "the file is UTF-8")]
    encoding: Option<String>,
    /// What is done with characters the encoding does not have.
    #[arg(inert = "the file is UTF-8")]
    encoding_errors: Option<String>,
}

impl State for Serialize {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let data = match (&self.dataset, &self.dataset_pillar) {
            (Some(data), _) => data.clone(),
            (None, Some(path)) => cx
                .settings
                .lookup(path, ':')
                .cloned()
                .ok_or_else(|| Failure::new(format!("The setting `{path}` does not exist")))?,
            (None, None) => return Err(Failure::new("`file.serialize` needs `dataset` or `dataset_pillar`")),
        };
        let format = serializer::Format::named(self.serializer.as_deref().unwrap_or("yaml"));
        let old = text::read(cx, &target)?;
        if old.is_none() && !self.create {
            return Ok(Plan::unchanged(format!(
                "`{target}` does not exist and `create: false` says to leave it so"
            )));
        }
        let data = match old.filter(|text| self.merge_if_exists && !text.trim().is_empty()) {
            Some(old) => merged(format.read(&target, &old)?, &data),
            None => data,
        };
        let content = format.write(&data, &options(self.serializer_opts.as_ref()))?;
        let mode = self.mode.and_then(FileMode::bits);
        let attributes = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), mode)?;
        let dir_mode = self.dir_mode.and_then(FileMode::bits);
        let secret = cx.is_secret("dataset") || cx.is_secret("dataset_pillar");
        Desired {
            attributes,
            makedirs: self.makedirs.then(|| path::directory_mode(dir_mode, mode)),
            backup: self.backup.clone(),
            show: match (secret, self.show_changes) {
                (true, _) => Show::Secret,
                (false, true) => Show::Diff,
                (false, false) => Show::Hidden,
            },
            ..Desired::content(target, content.into_bytes())
        }
        .plan(cx)
    }
}

/// A map, or Salt's list of one-key maps.
fn options(value: Option<&Value>) -> Map {
    match value {
        Some(Value::Map(map)) => map.clone(),
        Some(Value::List(list)) => {
            list.iter().filter_map(Value::as_map).flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        _ => Map::new(),
    }
}

/// Maps are merged key by key; everything else is replaced.
fn merged(old: Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Map(mut old), Value::Map(new)) => {
            for (key, value) in new {
                let current = old.get(key).cloned().unwrap_or_default();
                old.insert(key.clone(), merged(current, value));
            }
            Value::Map(old)
        }
        (_, new) => new.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_format() {
        let machine = FakeMachine::new();
        for (format, expected) in [
            ("yaml", "a:\n  c: 'yes'\nb: 1\n"),
            ("json", "{\n  \"a\": {\n    \"c\": \"yes\"\n  },\n  \"b\": 1\n}\n"),
            ("configparser", "[a]\nc = yes\n\n\n"),
        ] {
            let data = if format == "configparser" {
                r#"{"a": {"c": "yes"}}"#
            } else {
                r#"{"b": 1, "a": {"c": "yes"}}"#
            };
            let json = format!(r#"{{"name": "/{format}", "dataset": {data}, "serializer": "{format}"}}"#);
            machine.converge::<Serialize>(&args(&json)).unwrap();
            assert_eq!(machine.files.text(&format!("/{format}")), expected);
        }
    }

    #[test]
    fn data_is_merged_into_what_is_there() {
        let mut machine = FakeMachine::new();
        machine.settings = serde_json::from_str(r#"{"app": {"a": {"y": 2}}}"#).unwrap();
        machine.files.put("/f", r#"{"a": {"x": 1}, "b": [1]}"#);
        machine
            .converge::<Serialize>(&args(
                r#"{"name": "/f", "dataset_pillar": "app", "formatter": "json", "serializer": "json",
                "merge_if_exists": true, "serializer_opts": [{"indent": 0}]}"#,
            ))
            .unwrap();
        assert_eq!(machine.files.text("/f"), "{\"a\":{\"x\":1,\"y\":2},\"b\":[1]}\n");
        machine.files.put("/f", "not json");
        let wrong = args(r#"{"name": "/f", "dataset": {}, "serializer": "json", "merge_if_exists": true}"#);
        assert!(
            machine
                .converge::<Serialize>(&wrong)
                .unwrap_err()
                .message
                .contains("`/f` cannot be read as JSON")
        );
    }

    #[test]
    fn on_a_real_disk() {
        let machine = FakeMachine::on_disk();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f.yaml");
        let json =
            format!(r#"{{"name": "{}", "dataset": {{"a": [1, "x"]}}, "mode": "0600"}}"#, file.display());
        machine.converge::<Serialize>(&args(&json)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a:\n- 1\n- x\n");
    }
}
