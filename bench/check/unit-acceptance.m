-- The yardstick UA(N,C) for Rumur: units with a bitmap bit and a page, vCPUs that accept and release them.
-- N, C and the type of a unit and of a vCPU are put in by bench/check.bench.ts: a range, or a scalarset for symmetry.
const
  N: @N@;
  C: @C@;

type
  unit: @UNIT@;
  vcpu: @VCPU@;

var
  bm: array[unit] of boolean;
  pg: array[unit] of boolean;
  pc: array[vcpu] of 0..4;
  un: array[vcpu] of unit;

startstate begin
  for u: unit do bm[u] := true; pg[u] := false; end;
  for c: vcpu do pc[c] := 0; undefine un[c]; end;
end;

ruleset c: vcpu; u: unit do
  rule "take"
    pc[c] = 0 & forall d: vcpu do pc[d] = 0 | un[d] != u end
  ==>
  begin
    un[c] := u;
    if bm[u] then pc[c] := 1; else pc[c] := 3; end;
  end;
end;

ruleset c: vcpu do
  rule "accept" pc[c] = 1 ==> begin
    assert !pg[un[c]] "a page is accepted twice";
    pg[un[c]] := true; pc[c] := 2;
  end;
  rule "clear" pc[c] = 2 ==> begin bm[un[c]] := false; pc[c] := 0; undefine un[c]; end;
  rule "drop" pc[c] = 3 ==> begin
    assert pg[un[c]] "a page is dropped that is not there";
    pg[un[c]] := false; pc[c] := 4;
  end;
  rule "set" pc[c] = 4 ==> begin bm[un[c]] := true; pc[c] := 0; undefine un[c]; end;
end;
