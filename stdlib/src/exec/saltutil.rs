//! `saltutil.*`: what Salt's users call to bring a minion up to date. A run always has the newest data, so these have
//! nothing to do and say so by their result.

use crate::Library;
use zester_compiler::types::{Map, Value};

macro_rules! nothing_to_do {
    ($($name:literal $struct:ident $value:expr;)+) => {
        $(exec! {
            /// Has nothing to do: a run always has the newest modules, facts and settings.
            $name mutating $struct {
                /// Options of Salt.
                #[arg(rest)]
                options: Map,
            } |it, _| {
                let _ = &it.options;
                Ok($value)
            }
        })+

        /// Adds the module's functions.
        pub(super) fn register(library: &mut Library) {
            library.exec::<Running>()$(.exec::<$struct>())+;
        }
    };
}

nothing_to_do! {
    "saltutil.sync_all" SyncAll Value::Map(Map::new());
    "saltutil.sync_modules" SyncModules Value::List(Vec::new());
    "saltutil.sync_states" SyncStates Value::List(Vec::new());
    "saltutil.sync_grains" SyncGrains Value::List(Vec::new());
    "saltutil.sync_utils" SyncUtils Value::List(Vec::new());
    "saltutil.sync_renderers" SyncRenderers Value::List(Vec::new());
    "saltutil.refresh_modules" RefreshModules Value::Bool(true);
    "saltutil.refresh_grains" RefreshGrains Value::Bool(true);
    "saltutil.refresh_pillar" RefreshPillar Value::Bool(true);
    "saltutil.clear_cache" ClearCache Value::Bool(true);
    "mine.update" MineUpdate Value::Bool(true);
    "mine.send" MineSend Value::Bool(true);
}

exec! {
    /// Jobs that run on this peel besides this one.
    "saltutil.running" probe Running {} |_, _| Ok(Value::List(Vec::new()))
}
