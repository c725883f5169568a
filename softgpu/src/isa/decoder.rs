//! PTX instructions to their dense form.
//!
//! Each family of instructions has a list of rows: a form ([`crate::isa::form`]) and what makes an instruction of that
//! form. An instruction that has no row's form is refused, so that no modifier is ever silently ignored.

use crate::isa::form::{CACHE_HINT, Differs, Form, is_type};
use crate::kernel::LoadError;
use crate::machine::access::Order;
use crate::machine::control::Control;
use crate::machine::inst::Inst;
use crate::machine::op::{Draft, Op, draft};
use crate::machine::operand::{Pred, PredDst, Register, Src, WrongWidth};
use crate::machine::program::{Class, Expected, Fill, Info, Program};
use crate::ptx::{Function, Instr, Operand, Type, Variable};
use std::collections::HashMap;

/// A form and how its instructions are made.
pub struct Row {
    pub form: &'static str,
    /// The target that has it first, such as 90.
    pub since: u32,
    make: Make,
}

enum Make {
    /// An operation of each lane, of a class, on registers of the form's operands.
    Lanes(Class, fn(&Found<'_, '_>) -> Option<Lanes>),
    Whole(for<'a> fn(&mut Decoder<'a>, &Found<'_, 'a>) -> Decoded<()>),
}

/// An operation of which only the operands are missing: the destination and the sources.
pub type Lanes = fn(Register, &[Register]) -> Drafted;

/// A draft, where the operands' widths are the operation's.
pub type Drafted = Result<Box<dyn Draft>, WrongWidth>;

/// A row of whatever instructions.
pub const fn row(form: &'static str, make: for<'a> fn(&mut Decoder<'a>, &Found<'_, 'a>) -> Decoded<()>) -> Row {
    Row { form, since: 0, make: Make::Whole(make) }
}

/// A row of operations of each lane, of a class.
pub const fn lanes(class: Class, form: &'static str, make: fn(&Found<'_, '_>) -> Option<Lanes>) -> Row {
    Row { form, since: 0, make: Make::Lanes(class, make) }
}

impl Row {
    /// The same for targets from one on.
    pub const fn since(self, sm: u32) -> Row {
        Row { since: sm, ..self }
    }
}

/// The rows of all families by opcode.
#[derive(Default)]
pub struct Rows(HashMap<&'static str, Vec<(Form, &'static Row)>>);

impl Rows {
    pub fn new(all: impl Iterator<Item = &'static Row>) -> Rows {
        let mut rows = Rows::default();
        for row in all {
            for opcode in Form::new(row.form).opcodes {
                rows.0.entry(opcode).or_default().push((Form::new(row.form), row));
            }
        }
        rows
    }

    /// The row whose form an instruction has.
    fn find(&self, i: &Instr<'_>) -> Decoded<(&Form, &'static Row)> {
        if let Some(refusal) = unsupported(i) {
            return Err(Refusal::new(refusal));
        }
        let Some(rows) = self.0.get(i.op) else { return Err(Refusal::new("the instruction is not known")) };
        let mut near = None;
        for (form, row) in rows.iter().filter(|_| i.mods.len() <= 32) {
            match form.fits(i) {
                Ok(()) => return Ok((form, row)),
                Err(Differs::Operands) => near = Some(row.form),
                Err(Differs::Modifiers) => {}
            }
        }
        if let Some(form) = near {
            return Err(Refusal::new(format!("the operands are not those of {form}")));
        }
        if let Some(word) = i.mods.iter().find(|word| rows.iter().all(|(form, _)| !form.knows(word))) {
            return Err(Refusal::new(format!("the modifier '.{word}' is not supported here")));
        }
        let forms: Vec<&str> = rows.iter().map(|(_, row)| row.form).collect();
        Err(Refusal::new(format!("not one of its forms, which are: {}", forms.join("; "))))
    }
}

/// What is said of instructions and modifiers that are known, but not supported.
fn unsupported(i: &Instr<'_>) -> Option<&'static str> {
    let has = |part: &str| i.mods.iter().any(|word| word.contains(part));
    Some(match i.op {
        "wgmma" => "warpgroup matrix instructions (wgmma) are not supported",
        "wmma" if has("m8n8k32") || has("m8n8k128") => "wmma of 4-bit and 1-bit integers is not supported",
        "wmma" if !has("m8n8k4") && has("satfinite") && !has("s32") => "'.satfinite' is for integers only",
        "tcgen05" => "the matrix instructions of Blackwell (tcgen05) are not supported",
        "tensormap" => "copies by TMA and their tensor maps are not supported",
        "mapa" | "getctarank" | "clusterlaunchcontrol" => "thread block clusters are not supported",
        "multimem" => "multi-device (multimem) instructions are not supported",
        "setmaxnreg" => "setmaxnreg belongs to wgmma kernels, which are not supported",
        "griddepcontrol" => "programmatic dependent launch is not supported",
        "tex" | "tld4" | "txq" | "suld" | "sust" | "sured" | "suq" => "textures and surfaces are not supported",
        "cp" | "prefetch" if has("bulk") || has("tensormap") => "bulk and tensor copies (TMA) are not supported",
        "fence" if has("proxy") || has("mbarrier_init") => {
            "proxy fences belong to bulk copies and clusters, which are not supported"
        }
        "barrier" if has("cluster") => "thread block clusters are not supported",
        _ if has("shared::cluster") => "thread block clusters are not supported: '.shared::cluster' can't be used",
        "shfl" | "vote" if !has("sync") => {
            "only the forms with '.sync' are supported (the others are gone since sm_70)"
        }
        _ => return None,
    })
}

/// An instruction whose form was found.
pub struct Found<'b, 'a> {
    pub i: &'b Instr<'a>,
    form: &'b Form,
}

impl<'a> Found<'_, 'a> {
    /// Whether a modifier stands there.
    pub fn has(&self, word: &str) -> bool {
        self.i.mods.contains(&word)
    }

    /// The first of these that stands there.
    pub fn one_of(&self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.has(word))
    }

    /// The `n`-th type; `.b32` where it is no fundamental one.
    pub fn type_at(&self, n: usize) -> Type {
        let word = self.i.mods.iter().filter(|word| is_type(word)).nth(n);
        word.and_then(|word| Type::named(word)).unwrap_or(Type::B32)
    }

    /// The first type.
    pub fn ty(&self) -> Type {
        self.type_at(0)
    }

    /// The `n`-th operand, if there is one.
    pub fn operand(&self, n: usize) -> Decoded<&Operand<'a>> {
        self.i.operands.get(n).ok_or_else(|| Refusal::new("operands are missing"))
    }

    /// The `n`-th operand, if there is one besides a cache policy.
    pub fn extra(&self, n: usize) -> Option<&Operand<'a>> {
        self.i.operands[..self.i.operands.len() - usize::from(self.has(CACHE_HINT))].get(n)
    }

    /// The type of the `n`-th operand by the form.
    fn type_of(&self, n: usize) -> Type {
        match self.form.operands.get(n).map_or("", |operand| operand.trim_end_matches(|c: char| c.is_ascii_digit())) {
            "%rs" => Type::B16,
            "%r" => Type::B32,
            "%rd" => Type::B64,
            "%f" => Type::F32,
            "%fd" => Type::F64,
            "x" | "y" => self.type_at(1),
            _ => self.ty(),
        }
    }
}

/// What a name at module level stands for.
#[derive(Clone, Copy, Debug)]
pub enum Symbol {
    /// `.global` and `.const`: a device address.
    Address(u64),
    /// `.shared` declared at module level: which variable, so that each kernel places those it uses.
    Shared(usize),
    Function(u32),
}

/// What an instruction does, and its data.
pub enum Body {
    Operation(Box<dyn Draft>),
    Control(Control),
}

/// An instruction on its way: rows are still register numbers.
pub struct Proto {
    pub body: Body,
    pub guard: Pred,
    /// The member masks of a `*.sync` instruction.
    pub members: Option<Src<u32>>,
    pub order: Order,
    /// Labels a branch goes to.
    pub targets: Vec<usize>,
    pub info: Info,
}

/// Decodes one function.
pub struct Decoder<'a> {
    pub function: &'a Function<'a>,
    pub rows: &'static Rows,
    pub symbols: &'a HashMap<&'a str, Symbol>,
    /// Offsets of the module's shared variables, as far as this kernel uses them.
    pub shared: &'a mut SharedLayout,
    pub code: &'a mut Vec<Inst>,
    pub program: &'a mut Program,
    pub protos: Vec<Proto>,
    pub constants: Vec<Fill>,
    pub constant_ids: HashMap<Fill, u32>,
    /// The predicates named so far, by their register numbers.
    pub preds: Vec<Option<PredDst>>,
    pub pred_count: u16,
    /// Offset of each variable of the function in its space.
    pub var_offsets: Vec<u64>,
    pub local_bytes: u32,
    /// For each PTX instruction the first one made of it.
    pub starts: Vec<usize>,
    /// There was a fence of device scope or a release.
    pub releases: bool,
    /// Compute capability of the device, times ten.
    pub sm: u32,
    /// The same of the text's target.
    pub target: u32,
}

/// Where a kernel's shared variables lie.
#[derive(Clone, Debug, Default)]
pub struct SharedLayout {
    pub offsets: HashMap<usize, u32>,
    pub bytes: u32,
    /// Variables of functions, by function and variable number.
    pub inner: HashMap<(usize, usize), u32>,
    pub dynamic_align: u32,
}

/// Why an instruction is refused; the line is added by the caller.
#[derive(Clone, Debug)]
pub struct Refusal(pub String);

impl Refusal {
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal(message.into())
    }

    /// For a type that the instruction doesn't take.
    pub fn wrong_type() -> Refusal {
        Refusal::new("not possible with this type")
    }
}

impl From<WrongWidth> for Refusal {
    fn from(_: WrongWidth) -> Refusal {
        Refusal::wrong_type()
    }
}

pub type Decoded<T> = Result<T, Refusal>;

impl<'a> Decoder<'a> {
    /// Decodes every instruction of the function; `expected` tells of each what a load's value is used for.
    pub fn decode(&mut self, expected: &[Expected]) -> Result<(), LoadError> {
        for (i, expected) in self.function.code.iter().zip(expected) {
            self.starts.push(self.protos.len());
            let before = self.protos.len();
            self.instruction(i).map_err(|r| {
                let known = !i.operands.contains(&Operand::Coordinates);
                let message = if known { r.0 } else { COORDINATES.into() };
                LoadError { line: i.line, text: String::new(), message: format!("{}: {message}", shown(i)) }
            })?;
            for p in &mut self.protos[before..] {
                (p.info.line, p.info.place, p.info.used_bytes) = (i.line, i.place, i.used_bytes);
                p.info.expected = *expected;
            }
            if let Some((reg, negated)) = i.guard {
                let guard =
                    self.pred(reg).map_err(|r| LoadError { line: i.line, text: String::new(), message: r.0 })?;
                let guard = if negated { guard.read().not() } else { guard.read() };
                for p in &mut self.protos[before..] {
                    p.guard = guard;
                }
            }
        }
        self.starts.push(self.protos.len());
        // a function may end without ret
        self.control(Class::Control, Control::Return);
        Ok(())
    }

    fn instruction(&mut self, i: &Instr<'a>) -> Decoded<()> {
        if i.op == "call" {
            return self.call(i);
        }
        let (form, row) = self.rows.find(i)?;
        self.needs_sm(row.since, row.form)?;
        let found = Found { i, form };
        if let (true, Some(policy)) = (found.has(CACHE_HINT), i.operands.last()) {
            // it changes no result
            self.src(policy, Type::B64)?;
        }
        match row.make {
            Make::Whole(make) => make(self, &found),
            Make::Lanes(class, make) => {
                let operation = make(&found).ok_or_else(Refusal::wrong_type)?;
                self.lanes(class, operation, &found)?;
                Ok(())
            }
        }
    }

    /// Refuses what the module's target doesn't have.
    pub fn needs_sm(&self, sm: u32, what: &str) -> Decoded<()> {
        if self.target < sm {
            let target = self.target;
            return Err(Refusal::new(format!(
                "{what} needs a target of sm_{sm} or higher, the text is for sm_{target}"
            )));
        }
        Ok(())
    }

    /// The registers of an instruction's operands, the destination first.
    pub fn registers<const N: usize>(&mut self, x: &Found<'_, 'a>) -> Decoded<[Register; N]> {
        let list = self.all_registers(x)?;
        list.try_into().map_err(|_| Refusal::new("a form and its instruction differ in operands"))
    }

    /// The same, however many there are.
    pub fn all_registers(&mut self, x: &Found<'_, 'a>) -> Decoded<Vec<Register>> {
        let typed = x.i.operands.iter().enumerate().map(|(n, o)| (n, o, x.type_of(n)));
        typed.map(|(n, o, ty)| if n == 0 { self.dst(o, ty) } else { self.src(o, ty) }).collect()
    }

    /// Appends an operation of each lane on the registers of the operands.
    pub fn lanes(&mut self, class: Class, operation: Lanes, x: &Found<'_, 'a>) -> Decoded<&mut Proto> {
        let registers = self.all_registers(x)?;
        Ok(self.append(class, operation(registers[0], &registers[1..])?))
    }

    /// Appends an instruction that each lane executes by itself.
    pub fn straight<O: Op>(&mut self, class: Class, data: O::Data) -> &mut Proto {
        self.append(class, draft::<O>(data))
    }

    /// Appends an instruction that the lanes of a member mask execute together.
    pub fn together<O: Op>(&mut self, class: Class, members: Src<u32>, data: O::Data) -> &mut Proto {
        let p = self.append(class, draft::<O>(data));
        p.members = Some(members);
        p
    }

    /// Appends an instruction that decides where lanes go on.
    pub fn control(&mut self, class: Class, control: Control) -> &mut Proto {
        self.proto(class, Body::Control(control))
    }

    /// Appends an instruction of any operation.
    pub fn append(&mut self, class: Class, draft: Box<dyn Draft>) -> &mut Proto {
        self.proto(class, Body::Operation(draft))
    }

    fn proto(&mut self, class: Class, body: Body) -> &mut Proto {
        let (order, info) = (Order::Weak, Info::of(class, 0, 0));
        self.protos.push(Proto { body, guard: Pred::TRUE, members: None, order, targets: Vec::new(), info });
        let last = self.protos.len() - 1;
        &mut self.protos[last]
    }
}

/// What an address with coordinates is refused with.
const COORDINATES: &str =
    "addresses with coordinates belong to textures and to tensor copies (TMA), which are not supported";

/// An instruction's opcode as it was written.
pub fn shown(i: &Instr<'_>) -> String {
    let mut text = i.op.to_string();
    for m in &i.mods {
        text.push('.');
        text += m;
    }
    text
}

/// Offset for a variable placed behind `at`.
pub fn placed(at: u64, v: &Variable<'_>) -> u64 {
    at.next_multiple_of(u64::from(v.align.max(1)))
}
