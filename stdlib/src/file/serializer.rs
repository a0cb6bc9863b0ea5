//! Formats of data files.

use super::yaml;
use crate::Failure;
use zester_compiler::types::{Map, Value};

/// A format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Yaml,
    Json,
    Ini,
    Plain,
}

impl Format {
    /// By the name of Salt's serializer.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            "configparser" | "ini" => Self::Ini,
            "plaintext" => Self::Plain,
            _ => Self::Yaml,
        }
    }

    /// The data a file holds.
    pub(super) fn read(self, path: &str, text: &str) -> Result<Value, Failure> {
        let wrong = |format: &str, e: String| {
            Failure::new(format!("`{path}` cannot be read as {format}, so nothing is merged into it: {e}"))
        };
        match self {
            Self::Json => serde_json::from_str(text).map_err(|e| wrong("JSON", e.to_string())),
            Self::Yaml => zester_compiler::syntax::load_yaml(text).map_err(|e| wrong("YAML", e.message)),
            Self::Ini => read_ini(text).map_err(|e| wrong("INI", e)),
            Self::Plain => Ok(Value::from(text)),
        }
    }

    /// The text of data, as Salt's serializers lay it out; ends with a newline.
    pub(super) fn write(self, data: &Value, options: &Map) -> Result<String, Failure> {
        let text = match self {
            Self::Json => json(data, options)?,
            Self::Yaml if options.get("sort_keys") == Some(&Value::Bool(false)) => yaml::write(data),
            Self::Yaml => yaml::write(&sorted(data)),
            Self::Ini => write_ini(data, options)?,
            Self::Plain => data.to_string(),
        };
        Ok(if text.ends_with('\n') || text.is_empty() { text } else { text + "\n" })
    }
}

/// With keys in order, all the way down.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut entries: Vec<(String, Value)> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Map(entries.into_iter().collect())
        }
        Value::List(list) => Value::List(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Indented by two, keys sorted, unless options say otherwise: Salt's defaults.
fn json(data: &Value, options: &Map) -> Result<String, Failure> {
    let failed = |e: serde_json::Error| Failure::new(format!("The data cannot be written as JSON: {e}"));
    let data =
        if options.get("sort_keys") == Some(&Value::Bool(false)) { data.clone() } else { sorted(data) };
    let indent = match options.get("indent") {
        None => 2,
        Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(0).min(16),
        Some(_) => 0,
    };
    if indent == 0 {
        return serde_json::to_string(&data).map_err(failed);
    }
    let spaces = " ".repeat(indent);
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    serde::Serialize::serialize(&data, &mut serde_json::Serializer::with_formatter(&mut out, formatter))
        .map_err(failed)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn read_ini(text: &str) -> Result<Value, String> {
    let mut all = Map::new();
    let mut section = "DEFAULT".to_owned();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.clone_into(&mut section);
            all.entry(section.clone()).or_insert_with(|| Value::Map(Map::new()));
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return Err(format!("line {} is neither a section nor `key = value`", number + 1));
        };
        if let Value::Map(map) = all.entry(section.clone()).or_insert_with(|| Value::Map(Map::new())) {
            map.insert(key.trim().to_owned(), value.trim().into());
        }
    }
    Ok(Value::Map(all))
}

fn write_ini(data: &Value, options: &Map) -> Result<String, Failure> {
    let Value::Map(sections) = data else {
        return Err(Failure::new(format!("INI needs a map of sections, not {}", data.describe())));
    };
    let equals =
        if options.get("space_around_delimiters") == Some(&Value::Bool(false)) { "=" } else { " = " };
    let mut out = String::new();
    for (name, body) in sections {
        let Value::Map(body) = body else {
            return Err(Failure::new(format!(
                "The section `{name}` is {}, not a map of keys to values",
                body.describe()
            )));
        };
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("[{name}]\n"));
        for (key, value) in body {
            let text = if value.is_null() { String::new() } else { value.to_string() };
            // A continued line is indented, or it would be read as a key of its own.
            out.push_str(format!("{key}{equals}{}", text.replace('\n', "\n\t")).trim_end());
            out.push('\n');
        }
    }
    // Salt's writer parts each section from what follows, the last one too, and ends its file with a newline of its own.
    out.push_str("\n\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ini_there_and_back() {
        let text = "[a]\nx = 1\n\n[b]\ny =\n\n\n";
        let data = Format::Ini.read("/f", text).unwrap();
        assert_eq!(Format::Ini.write(&data, &Map::new()).unwrap(), text);
        assert!(Format::Ini.read("/f", "word\n").unwrap_err().message.contains("line 1"));
        assert!(Format::Ini.write(&Value::from("x"), &Map::new()).is_err());
    }
}
