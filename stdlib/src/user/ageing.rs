//! How a user's password ages: the numbers of the shadow file, set by `chage`.

use crate::provider::Shadow;

/// The wanted numbers; `None` leaves one alone. Days count from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ageing {
    /// Least days between changes.
    pub mindays: Option<i64>,
    /// Most days between changes.
    pub maxdays: Option<i64>,
    /// Days of grace after expiry.
    pub inactdays: Option<i64>,
    /// Days of warning.
    pub warndays: Option<i64>,
    /// Day on which the account expires.
    pub expire: Option<i64>,
    /// Day of the last change.
    pub date: Option<i64>,
}

/// One number that differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Difference {
    /// The parameter's name.
    pub name: &'static str,
    /// `chage`'s option.
    pub option: &'static str,
    /// What is.
    pub old: Option<i64>,
    /// What should be; negative removes the number.
    pub new: i64,
}

impl Ageing {
    /// What differs from the shadow file.
    pub(crate) fn differences(self, shadow: &Shadow) -> Vec<Difference> {
        [
            ("mindays", "--mindays", shadow.least, self.mindays),
            ("maxdays", "--maxdays", shadow.most, self.maxdays),
            ("inactdays", "--inactive", shadow.inactive, self.inactdays),
            ("warndays", "--warndays", shadow.warn, self.warndays),
            ("expire", "--expiredate", shadow.expire, self.expire),
            ("date", "--lastday", shadow.changed, self.date),
        ]
        .into_iter()
        .filter_map(|(name, option, old, new)| {
            let new = new?;
            let same = if new < 0 { old.is_none() } else { old == Some(new) };
            (!same).then_some(Difference { name, option, old, new })
        })
        .collect()
    }

    /// Whether anything is wanted.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_mean_none() {
        let shadow = Shadow { most: Some(99_999), ..Shadow::default() };
        let wanted = Ageing { maxdays: Some(90), inactdays: Some(-1), expire: Some(-1), ..Ageing::default() };
        let differences = wanted.differences(&shadow);
        assert_eq!(differences.len(), 1);
        assert_eq!(
            (differences[0].name, differences[0].old, differences[0].new),
            ("maxdays", Some(99_999), 90)
        );
    }
}
