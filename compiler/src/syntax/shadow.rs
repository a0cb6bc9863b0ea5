//! Shadows: the texts a document can be, one arm of each branch taken, all of the source's length.
//!
//! Most branches need no choice: arms that are whole entries of one map (or items of one list), at one column, can
//! stand in one text together. Only arms that share what follows them, differ in shape or cut through nodes are
//! taken one at a time; then as many shadows are made as it takes for each arm to be in one of them, and branches
//! with equally many arms are taken in step.

use super::{
    flat::{Fate, Flat, Line},
    template::{BlockKind, Template},
};

/// Most shadows made of one document. Arms beyond are left to rendering.
const MAX_SHADOWS: usize = 40;

/// Which arms of which blocks a document has.
pub(super) struct Plan<'t> {
    flat: &'t Flat,
    template: &'t Template,
    /// Children of each block by arm; blocks count from the flat's first.
    arms: Vec<Vec<Vec<usize>>>,
    roots: Vec<usize>,
    /// Whether all arms may stand together.
    together: Vec<bool>,
    cover: Vec<usize>,
    /// Whether some arm is in no shadow.
    pub clipped: bool,
}

/// What to do with branches that may be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Optional {
    /// Take them.
    Taken,
    /// Leave them out, except those that hold the offset.
    LeftOut(usize),
}

impl<'t> Plan<'t> {
    /// A plan; with `joined`, arms that can stand together do.
    pub(super) fn new(flat: &'t Flat, template: &'t Template, joined: bool) -> Self {
        let count = flat.fates.len();
        let mut arms: Vec<Vec<Vec<usize>>> =
            (0..count).map(|i| vec![Vec::new(); template.blocks[flat.block(i)].arms.len()]).collect();
        let mut roots = Vec::new();
        for index in 0..count {
            if flat.fates[index] == Fate::Closed {
                continue;
            }
            let block = &template.blocks[flat.block(index)];
            let parent = block.parent.and_then(|(p, arm)| Some((p.checked_sub(flat.first_block)?, arm)));
            match parent.and_then(|(p, arm)| arms.get_mut(p)?.get_mut(arm)) {
                Some(children) => children.push(index),
                None => roots.push(index),
            }
        }
        let together: Vec<bool> = (0..count)
            .map(|i| joined && flat.fates[i] == Fate::Visible && can_stand_together(flat, template, i))
            .collect();
        let mut cover = vec![1; count];
        let mut clipped = false;
        // Children stand behind their parents, so one pass from the back knows them.
        for index in (0..count).rev() {
            let of_arm = |arm: &Vec<usize>| arm.iter().map(|c| cover[*c]).max().unwrap_or(1);
            let whole: usize = if together[index] {
                arms[index].iter().map(of_arm).max().unwrap_or(1)
            } else {
                arms[index].iter().map(of_arm).sum()
            };
            clipped |= whole > MAX_SHADOWS;
            cover[index] = whole.clamp(1, MAX_SHADOWS);
        }
        Self { flat, template, arms, roots, together, cover, clipped }
    }

    /// How many shadows take every arm.
    pub(super) fn count(&self) -> usize {
        self.roots.iter().map(|b| self.cover[*b]).max().unwrap_or(1)
    }

    /// Whether some branch was allowed to show all its arms at once.
    pub(super) fn has_joined(&self) -> bool {
        self.together
            .iter()
            .enumerate()
            .any(|(i, joined)| *joined && self.template.blocks[self.flat.block(i)].arms.len() > 1)
    }

    /// Whether any branch can be left out.
    pub(super) fn has_optional(&self) -> bool {
        (0..self.flat.fates.len()).any(|i| self.flat.fates[i] == Fate::Visible && self.is_optional(i))
    }

    fn is_optional(&self, index: usize) -> bool {
        let block = &self.template.blocks[self.flat.block(index)];
        match block.kind {
            BlockKind::If => !block.exhaustive,
            BlockKind::For { .. } => block.arms.len() < 2,
            _ => false,
        }
    }

    /// The text of one choice.
    pub(super) fn shadow(&self, choice: usize, optional: Optional) -> String {
        let mut bytes = self.flat.bytes.clone();
        let mut pending: Vec<(usize, usize)> = self.roots.iter().map(|root| (*root, choice)).collect();
        while let Some((index, choice)) = pending.pop() {
            self.choose(index, choice, optional, &mut bytes, &mut pending);
        }
        // Whole characters were overwritten by ASCII or whole marks, so this cannot fail.
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn choose(
        &self,
        index: usize,
        choice: usize,
        optional: Optional,
        bytes: &mut [u8],
        pending: &mut Vec<(usize, usize)>,
    ) {
        let block = &self.template.blocks[self.flat.block(index)];
        let out = match optional {
            Optional::Taken => false,
            Optional::LeftOut(place) => {
                self.is_optional(index) && !block.span.range().contains(&(place + self.flat.base))
            }
        };
        let mut left = choice.min(self.cover[index].saturating_sub(1));
        let mut taken = false;
        for (arm_index, arm) in block.arms.iter().enumerate() {
            let children = self.arms[index].get(arm_index).map_or(&[][..], Vec::as_slice);
            let cover = children.iter().map(|c| self.cover[*c]).max().unwrap_or(1);
            let show = !out && (self.together[index] || (!taken && left < cover));
            if show {
                taken = true;
                let choice = if self.together[index] { choice } else { left };
                pending.extend(children.iter().map(|child| (*child, choice)));
            } else {
                let start = (arm.body.start as usize).saturating_sub(self.flat.base).min(bytes.len());
                let end = (arm.body.end as usize).saturating_sub(self.flat.base).clamp(start, bytes.len());
                for b in &mut bytes[start..end] {
                    if *b != b'\n' {
                        *b = b' ';
                    }
                }
                left = left.saturating_sub(if taken { 0 } else { cover });
            }
        }
    }
}

/// Whether all arms of a branch are whole siblings at one column, and nothing behind the branch belongs to one of them.
fn can_stand_together(flat: &Flat, template: &Template, index: usize) -> bool {
    let block = &template.blocks[flat.block(index)];
    if !matches!(block.kind, BlockKind::If | BlockKind::For { .. }) || block.arms.len() < 2 {
        return true;
    }
    let mut shape: Option<(usize, bool)> = None;
    let mut end = 0;
    for arm in &block.arms {
        let start = (arm.body.start as usize).saturating_sub(flat.base);
        end = (arm.body.end as usize).saturating_sub(flat.base);
        let first = flat.lines.partition_point(|l| l.end < start);
        let mut begun = false;
        for line in flat.lines[first..].iter().take_while(|l| l.start < end).filter(|l| has_ink(l)) {
            // An arm that begins or ends within a line is no arm of whole lines.
            if line.start < start || line.end > end || line.text && !begun {
                return false;
            }
            if line.text {
                continue;
            }
            let (column, dash) = *shape.get_or_insert((line.indent, line.dash));
            if line.indent < column {
                return false;
            }
            if !begun {
                if line.indent != column || line.dash != dash || !(line.dash || line.key || line.splice) {
                    return false;
                }
                begun = true;
            } else if line.indent == column && line.dash != dash && dash {
                return false;
            }
        }
    }
    let Some((column, dash)) = shape else { return true };
    let after = flat.lines.partition_point(|l| l.start < end);
    match flat.lines[after..].iter().find(|l| has_ink(l)) {
        None => true,
        Some(line) => !line.text && (line.indent < column || (line.indent == column && (dash || !line.dash))),
    }
}

fn has_ink(line: &Line) -> bool {
    !line.blank && !line.comment
}
