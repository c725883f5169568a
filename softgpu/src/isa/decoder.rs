//! PTX instructions to their dense form.
//!
//! Each family of instructions has a file. A decoder takes an instruction's modifiers one by one;
//! what is left over at the end is refused, so that no modifier is ever silently ignored.

use crate::kernel::LoadError;
use crate::machine::control::Control;
use crate::machine::inst::{Flow, Handler, Inst};
use crate::machine::op::{Draft, Of, Op};
use crate::machine::operand::{CONSTANT, Pred, PredDst, Src, WrongWidth};
use crate::machine::program::{Class, Fill, Info, Program};
use crate::machine::row::NONE;
use crate::ptx::{Function, Instr, Type, Variable};
use std::collections::HashMap;

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
    Old,
}

/// An instruction on its way: rows are still register numbers.
pub struct Proto {
    pub body: Body,
    pub guard: Pred,
    /// The member masks of a `*.sync` instruction.
    pub members: Option<Src<u32>>,
    /// `STRONG`, `ACQUIRE`, `RELEASE` of a memory access.
    pub order: u8,
    pub inst: Inst,
    /// Which of `d, a, b, c, e` (bits 0 to 4) are rows.
    pub row_fields: u8,
    pub reads: Vec<u32>,
    pub writes: Vec<u32>,
    /// A list of rows for instructions with many; becomes a table, its number goes to `aux`.
    pub rows: Vec<u32>,
    /// Labels a branch goes to.
    pub targets: Vec<usize>,
    pub info: Info,
    pub apart: bool,
}

/// Decodes one function.
pub struct Decoder<'a> {
    pub function: &'a Function<'a>,
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
    pub has_calls: bool,
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

/// The modifiers of an instruction, taken one by one.
pub struct Mods<'a> {
    pub words: Vec<&'a str>,
}

impl<'a> Mods<'a> {
    pub fn new(i: &Instr<'a>) -> Mods<'a> {
        Mods { words: i.mods.clone() }
    }

    /// Takes a modifier wherever it stands.
    pub fn take(&mut self, word: &str) -> bool {
        match self.words.iter().position(|w| *w == word) {
            Some(at) => {
                self.words.remove(at);
                true
            }
            None => false,
        }
    }

    /// Takes the first of these that stands there.
    pub fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|w| self.take(w))
    }

    /// Takes the next type.
    pub fn ty(&mut self) -> Result<Type, Refusal> {
        let found = self.words.iter().enumerate().find_map(|(n, w)| Some((n, Type::named(w)?)));
        let Some((at, ty)) = found else {
            return Err(Refusal::new(match self.words.first() {
                Some(word) => format!("'.{word}' is not known here, and no type is given"),
                None => "the instruction has no type".into(),
            }));
        };
        self.words.remove(at);
        Ok(ty)
    }

    /// Refuses what is left.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Refusal::new(format!("the modifier '.{word}' is not supported here"))),
        }
    }
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

/// A handler that must not be called.
pub unsafe fn old_no_handler(_: &mut crate::machine::cx::Cx, _: &Inst, _: u32) {}

pub type Decoded<T> = Result<T, Refusal>;

impl<'a> Decoder<'a> {
    /// Decodes every instruction of the function.
    pub fn decode(&mut self) -> Result<(), LoadError> {
        for i in &self.function.code {
            self.starts.push(self.protos.len());
            let before = self.protos.len();
            self.instruction(i).map_err(|r| LoadError {
                line: i.line,
                text: String::new(),
                message: format!("{}: {}", shown(i), r.0),
            })?;
            for p in &mut self.protos[before..] {
                (p.info.line, p.info.place, p.info.used_bytes) = (i.line, i.place, i.used_bytes);
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
        let mut m = Mods::new(i);
        let handled = self.packed(i, &mut m)?
            || self.integer(i, &mut m)?
            || self.float(i, &mut m)?
            || self.moves(i, &mut m)?
            || self.memory(i, &mut m)?
            || self.flow(i, &mut m)?
            || self.mbarrier(i, &mut m)?
            || self.tensor(i, &mut m)?
            || self.video(i, &mut m)?
            || self.warpwide(i, &mut m)?;
        if !handled {
            let known = match i.op {
                "wgmma" => "warpgroup matrix instructions (wgmma) are not supported",
                "wmma" => "wmma is not supported; the same products are mma.sync with ldmatrix",
                "tcgen05" => "the matrix instructions of Blackwell (tcgen05) are not supported",
                "cp" if i.mods.contains(&"bulk") => "bulk and tensor copies (TMA) are not supported",
                "cp" | "tensormap" => "copies by TMA and their tensor maps are not supported",
                "mapa" | "getctarank" | "clusterlaunchcontrol" => "thread block clusters are not supported",
                "multimem" => "multi-device (multimem) instructions are not supported",
                "setmaxnreg" => "setmaxnreg belongs to wgmma kernels, which are not supported",
                "griddepcontrol" => "programmatic dependent launch is not supported",
                "tex" | "tld4" | "txq" | "suld" | "sust" | "sured" | "suq" => "textures and surfaces are not supported",
                _ => "the instruction is not known",
            };
            return Err(Refusal::new(known));
        }
        m.finish()
    }

    /// Appends an instruction that each lane executes by itself.
    pub fn straight<O: Op>(&mut self, class: Class, data: O::Data) -> &mut Proto {
        self.append(class, Box::new(Of::<O>(data)))
    }

    /// Appends an instruction that the lanes of a member mask execute together.
    pub fn together<O: Op>(&mut self, class: Class, members: Src<u32>, data: O::Data) -> &mut Proto {
        let p = self.append(class, Box::new(Of::<O>(data)));
        p.members = Some(members);
        p
    }

    /// Appends an instruction that decides where lanes go on.
    pub fn control(&mut self, class: Class, control: Control) -> &mut Proto {
        self.proto(class, Body::Control(control), Inst::old(old_no_handler, Flow::Control))
    }

    /// Appends an instruction of any operation.
    pub fn append(&mut self, class: Class, draft: Box<dyn Draft>) -> &mut Proto {
        self.proto(class, Body::Operation(draft), Inst::old(old_no_handler, Flow::Straight))
    }

    fn proto(&mut self, class: Class, body: Body, inst: Inst) -> &mut Proto {
        self.protos.push(Proto {
            body,
            guard: Pred::TRUE,
            members: None,
            order: 0,
            inst,
            row_fields: 0,
            reads: Vec::new(),
            writes: Vec::new(),
            rows: Vec::new(),
            targets: Vec::new(),
            info: Info { line: 0, place: 0, used_bytes: !0, class, flops: 0, tensor: 0, hidden: false },
            apart: false,
        });
        let last = self.protos.len() - 1;
        &mut self.protos[last]
    }

    /// Appends an instruction without operands.
    pub fn old_push(&mut self, class: Class, run: Handler, flow: Flow) -> &mut Proto {
        self.proto(class, Body::Old, Inst::old(run, flow))
    }

    /// Appends a straight instruction with a destination and up to three sources.
    pub fn old_emit(&mut self, class: Class, run: Handler, d: u32, sources: &[u32]) -> &mut Proto {
        let p = self.old_push(class, run, Flow::Straight);
        p.set_write(d);
        for (n, &s) in sources.iter().enumerate() {
            p.set_read(n + 1, s);
        }
        p
    }
}

impl Proto {
    /// Makes field 0 (`d`) a row that is written.
    pub fn set_write(&mut self, row: u32) {
        self.inst.d = row;
        if row != NONE {
            self.row_fields |= 1;
            self.writes.push(row);
        }
    }

    /// Makes a field (1 to 4: `a, b, c, e`) a row that is read.
    pub fn set_read(&mut self, field: usize, row: u32) {
        *self.field(field) = row;
        if row != NONE {
            self.row_fields |= 1 << field;
            if row & CONSTANT == 0 {
                self.reads.push(row);
            }
        }
    }

    /// Makes a field a row that is written.
    pub fn set_write_field(&mut self, field: usize, row: u32) {
        *self.field(field) = row;
        if row != NONE {
            self.row_fields |= 1 << field;
            self.writes.push(row);
        }
    }

    pub fn field(&mut self, field: usize) -> &mut u32 {
        match field {
            0 => &mut self.inst.d,
            1 => &mut self.inst.a,
            2 => &mut self.inst.b,
            3 => &mut self.inst.c,
            _ => &mut self.inst.e,
        }
    }
}

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
