use super::*;
use crate::source::FileId;

fn scalar(text: &str, style: ScalarStyle) -> Node {
    let quotes = usize::from(style != ScalarStyle::Plain);
    let span = Span::new(FileId(0), 10..10 + text.len() + 2 * quotes);
    let parts = vec![Part::Text { text: text.into(), span }];
    Node { span, kind: NodeKind::Scalar(Scalar { style, parts }), tag: None }
}

fn plain(ty: &Type, text: &str) -> Result<Value, DecodeError> {
    decode(ty, &scalar(text, ScalarStyle::Plain)).map(|d| d.value.unwrap())
}

fn quoted(ty: &Type, text: &str) -> Result<Value, DecodeError> {
    decode(ty, &scalar(text, ScalarStyle::DoubleQuoted)).map(|d| d.value.unwrap())
}

#[track_caller]
fn fails(ty: &Type, text: &str, rule: &str, range: std::ops::Range<u32>) -> DecodeError {
    let error = plain(ty, text).unwrap_err();
    assert_eq!(error.rule.name, rule, "{}", error.message);
    assert_eq!(error.span.start - 10..error.span.end - 10, range, "{}", error.message);
    error
}

#[test]
fn text_is_what_the_author_wrote() {
    assert_eq!(plain(&Type::Str, "1.10"), Ok("1.10".into()));
    assert_eq!(plain(&Type::Version, "yes"), Ok("yes".into()));
    assert_eq!(plain(&Type::Str, "0644"), Ok("0644".into()));
    assert_eq!(plain(&Type::Str, "~"), Ok(Value::Null));
    assert_eq!(quoted(&Type::Str, "~"), Ok("~".into()));
}

#[test]
fn modes_are_octal_digits() {
    for text in ["0644", "644", "0o644", "00644"] {
        assert_eq!(plain(&Type::Mode, text), Ok("0644".into()), "{text}");
        assert_eq!(quoted(&Type::Mode, text), Ok("0644".into()), "{text}");
    }
    assert_eq!(decode(&Type::Mode, &scalar("0644", ScalarStyle::Plain)).unwrap().hints, []);
    let hints = decode(&Type::Mode, &scalar("644", ScalarStyle::Plain)).unwrap().hints;
    assert_eq!(hints[0].rule.name, "ambiguous-mode");
    assert_eq!(hints[0].fixes[0].edits[0].text, "\"0644\"");
    fails(&Type::Mode, "0698", "malformed-value", 2..3);
    fails(&Type::Mode, "77777", "out-of-range", 0..5);
    fails(&Type::Mode, "u=rw", "malformed-value", 0..4);
    let keep = Type::Mode.or(Type::Enum(vec!["keep".to_owned()]));
    assert_eq!(plain(&keep, "keep"), Ok("keep".into()));
    assert_eq!(plain(&keep, "0600"), Ok("0600".into()));
    assert!(fails(&Type::Mode, "keep", "malformed-value", 0..4).help.unwrap().contains("kept"));
}

#[test]
fn booleans_are_words_in_any_case() {
    for text in ["true", "Yes", "ON", "TRUE"] {
        assert_eq!(plain(&Type::Bool, text), Ok(true.into()), "{text}");
    }
    assert_eq!(quoted(&Type::Bool, "off"), Ok(false.into()));
    fails(&Type::Bool, "maybe", "wrong-type", 0..5);
}

#[test]
fn durations_are_seconds() {
    for (text, seconds) in [("90", 90.0), ("10s", 10.0), ("5m", 300.0), ("1h30m", 5400.0), ("1.5h", 5400.0)] {
        assert_eq!(plain(&Type::Duration, text), Ok(seconds.into()), "{text}");
    }
    for text in ["5minuets", "-3", "m", "1m5", "5 m 3"] {
        fails(&Type::Duration, text, "malformed-value", 0..text.len() as u32);
    }
    assert_eq!(plain(&Type::Size, "10M"), Ok(Value::Int(10 << 20)));
}

#[test]
fn cron_fields_point_at_the_bad_number() {
    let hour = Type::CronField { min: 0, max: 23 };
    let day = Type::CronField { min: 0, max: 7 };
    let month = Type::CronField { min: 1, max: 12 };
    for text in ["*", "*/5", "1,15", "8-18/2", "random", "0"] {
        assert_eq!(plain(&hour, text), Ok(text.into()));
    }
    assert!(plain(&day, "mon-fri").is_ok() && plain(&month, "JAN,dec").is_ok() && plain(&day, "7").is_ok());
    fails(&hour, "25", "out-of-range", 0..2);
    fails(&hour, "1,2-29", "out-of-range", 4..6);
    fails(&hour, "*/0", "out-of-range", 2..3);
    fails(&day, "9", "out-of-range", 0..1);
    fails(&hour, "mon", "malformed-value", 0..3);
    fails(&hour, "5-1", "malformed-value", 0..3);
    fails(&hour, "-1", "malformed-value", 0..0);
}

#[test]
fn addresses_are_checked() {
    assert_eq!(plain(&Type::Ip, "::1"), Ok("::1".into()));
    assert!(fails(&Type::Ip, "10.0.0.300", "malformed-value", 0..10).help.unwrap().contains("300"));
    assert!(fails(&Type::Cidr, "10.0.0.1", "malformed-value", 0..8).help.unwrap().contains("/32"));
    assert_eq!(plain(&Type::Cidr, "10.0.0.0/8"), Ok("10.0.0.0/8".into()));
    assert_eq!(plain(&Type::Hostname, "web-01.example.com"), Ok("web-01.example.com".into()));
    fails(&Type::Hostname, "web 01", "malformed-value", 3..4);
    fails(&Type::Port, "70000", "out-of-range", 0..5);
}

#[test]
fn regexes_are_pythons() {
    for text in
        [r"^(?P<a>x)(?P=a)\Z", r"\$\{HOME\}", r"a{2,3}{x", r"[\]{]+", r"(?i)foo(?!bar)", r"${x}", "a{,3}"]
    {
        assert!(quoted(&Type::Regex, text).is_ok(), "{text}: {:?}", quoted(&Type::Regex, text));
    }
    assert_eq!(python_regex(r"a\Z"), r"a\z");
    assert_eq!(plain(&Type::Regex, "foo(").unwrap_err().rule.name, "malformed-regex");
    assert_eq!(plain(&Type::Regex, "*a").unwrap_err().rule.name, "malformed-regex");
}

#[test]
fn sources_urls_and_paths_differ() {
    assert!(plain(&Type::Source, "zester://a/b").is_ok() && plain(&Type::Source, "/a").is_ok());
    assert!(
        fails(&Type::Source, "files/a", "malformed-value", 0..7).help.unwrap().contains("zester://files/a")
    );
    fails(&Type::Source, "slat://a", "malformed-value", 0..4);
    fails(&Type::Path, "https://x/y", "malformed-value", 0..11);
    fails(&Type::Url, "/opt/app", "malformed-value", 0..8);
    assert!(plain(&Type::Url, "git@host:a/b.git").is_ok());
    assert_eq!(plain(&Type::Hash, &"A".repeat(64)), Ok(format!("sha256={}", "a".repeat(64)).into()));
    fails(&Type::Hash, "sha256=ab", "malformed-value", 0..9);
}

#[test]
fn zones_and_locales_have_names() {
    assert!(plain(&Type::Timezone, "Europe/Berlin").is_ok() && plain(&Type::Timezone, "UTC").is_ok());
    assert_eq!(
        fails(&Type::Timezone, "Europe/Belrin", "unknown-zone", 0..13).replacement.unwrap(),
        "Europe/Berlin"
    );
    assert!(plain(&Type::Timezone, "EST5").is_err());
    assert!(plain(&Type::Locale, "en_US.UTF-8").is_ok() && plain(&Type::Locale, "C.UTF-8").is_ok());
    assert!(plain(&Type::Locale, "en-US").is_err());
}

#[test]
fn a_single_value_is_a_list_of_one() {
    let list = Type::List(Box::new(Type::Str));
    assert_eq!(plain(&list, "a"), Ok(Value::List(vec!["a".into()])));
    assert_eq!(decode_value(&list, &Value::Null, Span::at(FileId(0), 0)), Ok(Value::List(Vec::new())));
}

#[test]
fn unions_take_what_is_most_particular() {
    let ty = Type::Bool.or(Type::Str);
    assert_eq!(plain(&ty, "yes"), Ok(true.into()));
    assert_eq!(quoted(&ty, "yes"), Ok("yes".into()));
    let ty = Type::Str.or(Type::List(Box::new(Type::Str)));
    assert_eq!((plain(&ty, "a -b"), quoted(&ty, "a -b")), (Ok("a -b".into()), Ok("a -b".into())));
    assert_eq!(
        decode_value(&ty, &Value::List(vec!["a".into()]), Span::at(FileId(0), 0)),
        Ok(Value::List(vec!["a".into()]))
    );
    let ty = Type::INT.or(Type::Enum(vec!["first".into(), "last".into()]));
    assert_eq!(plain(&ty, "5"), Ok(Value::Int(5)));
    assert!(plain(&ty, "lst").unwrap_err().help.unwrap().contains("last"));
}

#[test]
fn values_of_templates_keep_their_type() {
    let at = Span::at(FileId(0), 3);
    assert_eq!(decode_value(&Type::Any, &"yes".into(), at), Ok("yes".into()));
    assert_eq!(decode_value(&Type::Str, &Value::Int(5), at), Ok("5".into()));
    assert_eq!(decode_value(&Type::Mode, &Value::Int(644), at), Ok("0644".into()));
    let map = Value::Map(Map::from_iter([("a".to_owned(), Value::Int(1))]));
    let list = Type::List(Box::new(Type::Str.or(Type::Map(Box::new(Type::Str)))));
    assert_eq!(
        decode_value(&list, &map, at),
        Ok(Value::List(vec![Value::Map(Map::from_iter([("a".to_owned(), "1".into())]))]))
    );
    assert_eq!(decode_value(&Type::Bool, &map, at).unwrap_err().rule.name, "wrong-type");
}

#[test]
fn where_no_type_is_asked_for_salts_loader_decides() {
    let hint = |text: &str| decode(&Type::Any, &scalar(text, ScalarStyle::Plain)).unwrap().hints.len();
    assert_eq!(
        (hint("22:22"), hint("010"), hint("1.10"), hint("1.1"), hint("5"), hint("a:b")),
        (1, 1, 1, 0, 0, 0)
    );
    assert_eq!(plain(&Type::Any, "22:22"), Ok("22:22".into()));
}
