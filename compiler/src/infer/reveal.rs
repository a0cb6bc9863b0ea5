//! The type at a place, for people: `zester check --reveal`, hovers.

use super::{Data, Engine, Given, World, given::given_in, ty::Ty};
use crate::{
    check::{CheckError, CheckOptions, Memory, workspace::Workspace},
    modules::CustomModules,
    project::Project,
    source::Span,
    types::Registry,
};

/// The type of the innermost expression at a place.
#[derive(Clone, Debug)]
pub struct Revealed {
    /// The expression.
    pub span: Span,
    /// Its type.
    pub ty: Ty,
}

/// The type at a byte of a file (an index of the workspace's units); nothing where no expression stands.
pub fn reveal(workspace: &Workspace<'_>, data: &Data, index: usize, offset: u32) -> Option<Revealed> {
    let world = World::new(workspace, data);
    let given = given_in(&world, workspace, index);
    let all = noted_with(&world, index, &given)?.types;
    all.into_iter()
        .filter(|(span, _)| span.start <= offset && offset <= span.end)
        .min_by_key(|(span, _)| (span.end - span.start, span.start))
        .map(|(span, ty)| Revealed { span, ty })
}

/// What a walk through a file comes by.
#[derive(Default)]
pub struct Noted {
    /// The types of expressions, and of names where they are bound, in the order of a render.
    pub types: Vec<(Span, Ty)>,
    /// What calls of macros give: the macro by the place of its name, the parameter by its position.
    pub given: Vec<(Span, usize, Ty)>,
}

/// The types in a file.
pub fn noted(world: &World<'_>, index: usize) -> Option<Noted> {
    noted_with(world, index, &Given::default())
}

/// The types in a file that is given variables.
pub fn noted_with(world: &World<'_>, index: usize, given: &Given) -> Option<Noted> {
    let file = world.around.file(index)?;
    let mut engine = Engine::new(world, index, file);
    engine.quiet = 1;
    engine.all = Some(Noted::default());
    for (name, ty) in &given.0 {
        engine.assign(name, ty.clone());
    }
    engine.run_file();
    engine.all.take()
}

/// The type at a line and column (in characters), both from 1, of a file of a project.
pub fn reveal_at(
    project: &Project,
    registry: &Registry,
    path: &str,
    line: u32,
    column: u32,
) -> Result<Option<Revealed>, CheckError> {
    let options = CheckOptions { paths: vec![path.to_owned()], ..CheckOptions::default() };
    let mut memory = Memory::default();
    let custom = CustomModules::read(project);
    let registry = custom.add_to(registry);
    let (workspace, _) = Workspace::open(project, &registry, &custom, &options, &mut memory)?;
    let data = Data::of(&workspace, &mut memory);
    let Some(index) = workspace.by_path.get(path).copied() else { return Ok(None) };
    let Some(unit) = workspace.units.get(index) else { return Ok(None) };
    let text = &unit.tree.text;
    let start = match line {
        1 => Some(0),
        n => text.match_indices('\n').nth(n as usize - 2).map(|(at, _)| at + 1),
    };
    let Some(start) = start else { return Ok(None) };
    let rest = text.get(start..).unwrap_or_default();
    let offset = start + rest.chars().take(column as usize - 1).map(char::len_utf8).sum::<usize>();
    Ok(reveal(&workspace, &data, index, offset as u32))
}
