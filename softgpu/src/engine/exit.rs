//! Lanes that leave the kernel.

use crate::engine::barrier::after_exit;
use crate::machine::code::Code;
use crate::machine::cx::Cx;
use crate::machine::row::NONE;
use crate::machine::warp::Split;

/// Lanes leave the kernel, from whatever depth of calls.
pub fn exit(cx: &mut Cx, code: &Code, s: &Split, mask: u32) {
    let warp = cx.warp();
    warp.leave(mask, s.meeting);
    let mut at = s.frame;
    while at != NONE {
        let frame = &mut warp.frames[at as usize];
        frame.lanes &= !mask;
        let (meeting, parent) = (frame.meeting, frame.parent);
        if meeting != NONE {
            warp.leave(mask, meeting);
        }
        at = parent;
    }
    cx.lanes_exited();
    cx.progress += 1;
    after_exit(cx, code);
}
