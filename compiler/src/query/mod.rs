//! Questions an editor asks: what is at this place, where else is it named, what could be written here?
//!
//! Pure functions over trees. An [`Index`] is the project as the last check saw it; the file under the cursor may be
//! newer than that, so its tree is given apart. Nothing in here reports mistakes, and nothing guesses: what is
//! computed at run time has no mentions.

mod body;
mod chain;
mod complete;
mod expected;
mod expression;
mod given;
mod including;
mod index;
mod mention;
mod names;
mod nodes;
mod outline;
mod peels;
mod popular;
mod rename;
mod rename_given;
mod settings;
mod state;
mod symbols;
mod template;
mod together;
mod types;
mod words;

pub use body::{Body, Shape};
pub use chain::Root;
pub use complete::{Completing, completing};
pub use expected::Expected;
pub use given::{Giver, Read};
pub use including::{Including, including};
pub use index::{Context, Index, IndexedFile, Usage};
pub use mention::{Kind, Mention, Role, Symbol};
pub use names::{LocalKind, LocalName, exported_names, kind as local_kind, names_at};
pub use nodes::{literal_span, node_chain};
pub use outline::{BodyForm, Outline, OutlineKind, StateAt, outline, state_at, states_of};
pub use popular::{function_weight, is_untypical, parameter_place, reacts};
pub use rename::{RenameError, RenameOutcome, rename};
pub use settings::{SettingPlace, SettingsTree};
pub use symbols::{FileSymbol, FoundSymbol};
pub use template::{ExecCall, exec_call_at};
pub use types::{ParameterTypes, Types, filtered_value, keys_of, words_of};
pub use words::{
    GENERIC_KEYS, GenericKey, STATEMENTS, Statement, filter_names, generic_key, global_doc, test_names,
};
