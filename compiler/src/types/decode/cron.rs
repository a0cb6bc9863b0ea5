//! A field of a cron line: lists of numbers, ranges and steps, and the names of months and days.

use super::{DecodeError, MALFORMED_VALUE, OUT_OF_RANGE, word::Word};
use crate::types::{Type, Value};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

struct Field<'w, 'n> {
    ty: &'w Type,
    word: &'w Word<'n>,
    min: u8,
    max: u8,
}

pub(super) fn field(ty: &Type, word: &Word<'_>, min: u8, max: u8) -> Result<Value, DecodeError> {
    let text = &*word.text;
    // `random` is chosen once by the state function.
    if text == "random" || text == "*" {
        return Ok(Value::Str(text.to_owned()));
    }
    let field = Field { ty, word, min, max };
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(field.malformed(0, text.len(), "a cron field has no blanks in it and is not empty"));
    }
    let mut offset = 0;
    for item in text.split(',') {
        field.item(item, offset)?;
        offset += item.len() + 1;
    }
    Ok(Value::Str(text.to_owned()))
}

impl Field<'_, '_> {
    fn malformed(&self, start: usize, end: usize, help: &str) -> DecodeError {
        let message =
            format!("expected a cron field of {} to {}, found {}", self.min, self.max, self.word.found());
        DecodeError::new(&MALFORMED_VALUE, self.ty, self.word.part(start, end), message).help(help)
    }

    /// `*`, `5`, `1-5`, each with `/step`.
    fn item(&self, item: &str, offset: usize) -> Result<(), DecodeError> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some((step, offset + range.len() + 1))),
            None => (item, None),
        };
        if let Some((step, at)) = step {
            match step.parse::<u32>() {
                Ok(0) => {
                    let message = "expected a step of 1 or more, found `0`";
                    let span = self.word.part(at, at + step.len());
                    return Err(DecodeError::new(&OUT_OF_RANGE, self.ty, span, message));
                }
                Ok(_) => {}
                Err(_) => {
                    return Err(self.malformed(at, at + step.len(), "a step is a number of 1 or more"));
                }
            }
        }
        if range == "*" {
            return Ok(());
        }
        // A sign is no range: `-5` has an empty first number.
        match range.split_once('-') {
            None => self.number(range, offset).map(|_| ()),
            Some((low, high)) => {
                let high_at = offset + low.len() + 1;
                let (low, high) = (self.number(low, offset)?, self.number(high, high_at)?);
                if low > high && !(self.is_days() && high == 0) {
                    let help = "a range goes from its smaller to its greater number";
                    return Err(self.malformed(offset, offset + range.len(), help));
                }
                Ok(())
            }
        }
    }

    fn is_days(&self) -> bool {
        self.min == 0 && matches!(self.max, 6 | 7)
    }

    fn number(&self, text: &str, offset: usize) -> Result<u32, DecodeError> {
        let lower = text.to_ascii_lowercase();
        let name = if self.is_days() {
            DAYS.iter().position(|d| *d == lower)
        } else if self.min == 1 && self.max == 12 {
            MONTHS.iter().position(|m| *m == lower).map(|i| i + 1)
        } else {
            None
        };
        if let Some(number) = name {
            return Ok(number as u32);
        }
        let help = "write a number, a list `1,15`, a range `1-5`, `*`, or any of them with a step `/5`";
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.malformed(offset, offset + text.len(), help));
        }
        match text.parse::<u32>() {
            Ok(n) if n >= u32::from(self.min) && n <= u32::from(self.max) => Ok(n),
            _ => {
                let message = format!("expected {} to {}, found `{text}`", self.min, self.max);
                let span = self.word.part(offset, offset + text.len());
                Err(DecodeError::new(&OUT_OF_RANGE, self.ty, span, message))
            }
        }
    }
}
