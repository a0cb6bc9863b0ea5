//! `#[derive(Arguments)]`: an argument struct is a function's signature.
//!
//! ```text
//! /// Writes a file.
//! #[derive(Arguments)]
//! #[state("file.managed", watches, any_of("source", "contents"))]
//! struct Managed {
//!     /// The file's path.
//!     #[arg(primary, alias = "path")]
//!     name: Path,
//!     /// Permission bits.
//!     mode: Option<Mode>,
//!     /// Whether missing parents are made.
//!     #[arg(default = false)]
//!     makedirs: bool,
//! }
//! ```
//!
//! On the struct, `state("module.function", …)` or `exec("module.function", …)` with: `watches`, `never_changes`, `fleet`,
//! `pure` / `probe` / `command` / `mutating` (exec only), `platforms("debian", …)`, `any_of(…)`,
//! `exactly_one_of(…)`, `at_most_one_of(…)`, `requires("a", "b")`. On a field, `arg(…)` with: `primary`,
//! `alias = "…"` (repeatable), `name = "…"`, `default = literal`, `one_of("a", "b")`, `ty = expression of type
//! Type`, `secret`, `inert = "why"`, `rest` (a `Map` that takes every other named argument), `flatten` (another argument struct, whose
//! parameters stand here). A struct that is only ever flattened into others says `shared` instead of `state(…)`.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Lit, LitStr, Result, Token, parenthesized,
    parse::ParseStream, parse_macro_input, punctuated::Punctuated, spanned::Spanned,
};

/// See the crate's documentation.
#[proc_macro_derive(Arguments, attributes(state, exec, shared, arg))]
pub fn derive_arguments(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|e| e.to_compile_error()).into()
}

fn doc_of(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes
        .iter()
        .filter(|a| a.path().is_ident("doc"))
        .filter_map(|a| match &a.meta.require_name_value().ok()?.value {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(s) => Some(s.value().strip_prefix(' ').map_or_else(|| s.value(), str::to_owned)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

fn words(input: ParseStream) -> Result<Vec<LitStr>> {
    let content;
    parenthesized!(content in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

struct Function {
    module: String,
    name: String,
    exec: bool,
    watches: bool,
    never_changes: bool,
    fleet: bool,
    effect: &'static str,
    platforms: Vec<LitStr>,
    constraints: Vec<Tokens>,
}

impl Function {
    /// Of parameters that several functions have; it has no name, and nobody asks for it.
    fn shared() -> Self {
        Self {
            module: String::new(),
            name: String::new(),
            exec: false,
            watches: false,
            never_changes: false,
            fleet: false,
            effect: "Mutating",
            platforms: Vec::new(),
            constraints: Vec::new(),
        }
    }
}

fn function_of(input: &DeriveInput) -> Result<Function> {
    if input.attrs.iter().any(|a| a.path().is_ident("shared")) {
        return Ok(Function::shared());
    }
    let attribute = input
        .attrs
        .iter()
        .find(|a| a.path().is_ident("state") || a.path().is_ident("exec"))
        .ok_or_else(|| Error::new(input.span(), "needs #[state(\"module.function\")] or #[exec(…)]"))?;
    let exec = attribute.path().is_ident("exec");
    attribute.parse_args_with(|input: ParseStream| {
        let full: LitStr = input.parse()?;
        let text = full.value();
        let (module, name) =
            text.split_once('.').ok_or_else(|| Error::new(full.span(), "expected module.function"))?;
        let mut function = Function {
            module: module.to_owned(),
            name: name.to_owned(),
            exec,
            watches: false,
            never_changes: false,
            fleet: false,
            effect: if exec { "Probe" } else { "Mutating" },
            platforms: Vec::new(),
            constraints: Vec::new(),
        };
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let word: syn::Ident = input.parse()?;
            match word.to_string().as_str() {
                "watches" => function.watches = true,
                "never_changes" => function.never_changes = true,
                "fleet" => function.fleet = true,
                "pure" => function.effect = "Pure",
                "probe" => function.effect = "Probe",
                "command" => function.effect = "Command",
                "mutating" => function.effect = "Mutating",
                "platforms" => function.platforms = words(input)?,
                "any_of" => {
                    let names = words(input)?;
                    function.constraints.push(quote!(AnyOf(&[#(#names),*])));
                }
                "exactly_one_of" => {
                    let names = words(input)?;
                    function.constraints.push(quote!(ExactlyOneOf(&[#(#names),*])));
                }
                "at_most_one_of" => {
                    let names = words(input)?;
                    function.constraints.push(quote!(AtMostOneOf(&[#(#names),*])));
                }
                "requires" => {
                    let names = words(input)?;
                    let [a, b] = names.as_slice() else {
                        return Err(Error::new(word.span(), "requires(\"a\", \"b\")"));
                    };
                    function.constraints.push(quote!(Requires(#a, #b)));
                }
                _ => return Err(Error::new(word.span(), "unknown word")),
            }
        }
        Ok(function)
    })
}

#[derive(Default)]
struct Argument {
    name: String,
    aliases: Vec<LitStr>,
    primary: bool,
    secret: bool,
    rest: bool,
    flatten: bool,
    default: Option<Expr>,
    ty: Option<Tokens>,
    inert: Option<LitStr>,
}

fn argument_of(field: &Field) -> Result<Argument> {
    let ident = field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "needs named fields"))?;
    let mut argument =
        Argument { name: ident.to_string().trim_start_matches("r#").to_owned(), ..Argument::default() };
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("arg")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("primary") {
                argument.primary = true;
            } else if meta.path.is_ident("secret") {
                argument.secret = true;
            } else if meta.path.is_ident("rest") {
                argument.rest = true;
            } else if meta.path.is_ident("flatten") {
                argument.flatten = true;
            } else if meta.path.is_ident("alias") {
                argument.aliases.push(meta.value()?.parse()?);
            } else if meta.path.is_ident("name") {
                argument.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("default") {
                argument.default = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("inert") {
                argument.inert = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("ty") {
                let ty: Expr = meta.value()?.parse()?;
                argument.ty = Some(quote!({ use ::zester_compiler::types::Type; #ty }));
            } else if meta.path.is_ident("one_of") {
                let names = words(meta.input)?;
                argument.ty =
                    Some(quote!(::zester_compiler::types::Type::Enum(vec![#(#names.to_owned()),*])));
            } else {
                return Err(meta.error("unknown word"));
            }
            Ok(())
        })?;
    }
    Ok(argument)
}

fn expand(input: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "only a struct can be an argument list"));
    };
    let empty = Punctuated::new();
    let fields = match &data.fields {
        Fields::Named(named) => &named.named,
        Fields::Unit => &empty,
        Fields::Unnamed(_) => return Err(Error::new(input.span(), "needs named fields")),
    };
    let function = function_of(input)?;
    let doc = doc_of(&input.attrs);
    let mut params = Vec::new();
    let mut reads = Vec::new();
    let mut names = Vec::new();
    let mut unused = Vec::new();
    let mut rest = None;
    let mut groups = Vec::new();
    for field in fields {
        let argument = argument_of(field)?;
        let ident = &field.ident;
        let field_ty = &field.ty;
        if argument.flatten {
            groups.push(quote!(vec![#(#params),*]));
            params.clear();
            groups.push(quote!(<#field_ty as ::zester_compiler::types::Arguments>::signature().params));
            reads.push(quote! {
                #ident: <#field_ty as ::zester_compiler::types::Arguments>::from_values(values)?
            });
            continue;
        }
        if argument.rest {
            rest = Some(ident);
            continue;
        }
        let Argument { name, aliases, primary, secret, default, ty, inert, .. } = argument;
        let doc = doc_of(&field.attrs);
        let ty = ty.unwrap_or_else(|| quote!(<#field_ty as ::zester_compiler::types::FromValue>::ty()));
        let ty = if secret { quote!(::zester_compiler::types::Type::Secret(Box::new(#ty))) } else { ty };
        let default_value = match &default {
            Some(value) => quote!(Some(::zester_compiler::types::Value::from(#value))),
            None => quote!(None),
        };
        let argument_inert = inert.is_some();
        let inert = match inert {
            Some(why) => quote!(Some(#why)),
            None => quote!(None),
        };
        if argument_inert {
            unused.push(ident);
        }
        let has_default = default.is_some();
        params.push(quote! {
            ::zester_compiler::types::Param {
                name: #name.into(),
                aliases: &[#(#aliases),*],
                ty: #ty,
                default: #default_value,
                required: !#primary && !#has_default
                    && <#field_ty as ::zester_compiler::types::FromValue>::absent().is_none(),
                primary: #primary,
                doc: #doc.into(),
                inert: #inert,
            }
        });
        let absent = match &default {
            Some(value) => quote! {
                <#field_ty as ::zester_compiler::types::FromValue>::from_value(
                    &::zester_compiler::types::Value::from(#value)
                ).map_err(|e| format!("`{}`: {e}", #name))?
            },
            None => quote! {
                <#field_ty as ::zester_compiler::types::FromValue>::absent()
                    .ok_or_else(|| format!("`{}` is missing", #name))?
            },
        };
        reads.push(quote! {
            #ident: match values.get(#name) {
                Some(value) => <#field_ty as ::zester_compiler::types::FromValue>::from_value(value)
                    .map_err(|e| format!("`{}`: {e}", #name))?,
                None => #absent,
            }
        });
        names.push(name);
    }
    let open = rest.is_some();
    if open && !groups.is_empty() {
        // The one that takes the rest would take the other struct's parameters, too.
        return Err(Error::new(input.span(), "`rest` and `flatten` exclude each other"));
    }
    let params = if groups.is_empty() {
        quote!(vec![#(#params),*])
    } else {
        quote!([#(#groups,)* vec![#(#params),*]].into_iter().flatten().collect())
    };
    let rest = rest.map(|ident| {
        quote! {
            #ident: values.iter().filter(|(k, _)| ![#(#names),*].contains(&k.as_str()))
                .map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    });
    let ident = &input.ident;
    let Function { module, name, exec, watches, never_changes, fleet, effect, platforms, constraints } =
        function;
    let kind = if exec { quote!(Exec) } else { quote!(State) };
    let effect = syn::Ident::new(effect, ident.span());
    Ok(quote! {
        // A parameter without effect is declared and never read; this is the reading.
        const _: () = {
            #[allow(dead_code)]
            fn inert(of: &#ident) {
                #(let _ = &of.#unused;)*
            }
        };

        impl ::zester_compiler::types::Arguments for #ident {
            fn signature() -> ::zester_compiler::types::Signature {
                ::zester_compiler::types::Signature {
                    module: #module.into(),
                    function: #name.into(),
                    kind: ::zester_compiler::types::FunctionKind::#kind,
                    doc: #doc.into(),
                    params: #params,
                    constraints: vec![#(::zester_compiler::types::Constraint::#constraints),*],
                    returns: ::zester_compiler::types::Type::Any,
                    open: #open,
                    effect: ::zester_compiler::types::Effect::#effect,
                    watches: #watches,
                    never_changes: #never_changes,
                    fleet: #fleet,
                    platforms: &[#(#platforms),*],
                }
            }

            fn from_values(
                values: &::zester_compiler::types::Map,
            ) -> ::core::result::Result<Self, ::std::string::String> {
                let _ = values;
                Ok(Self { #(#reads,)* #rest })
            }
        }
    })
}
