import { expect, it } from "vitest";
import { bindParts } from "../../scripts/set-up/bind-parts.mjs";

const OTHER = {
  name: "other.cjs",
  text: "var LIMIT=4,count=0,seen=[],a$=1,next=()=>count++*LIMIT,isLast=x=>x>=LIMIT&&x===a$;export{LIMIT as LIMIT2,a$,count,next,seen,isLast};\n",
};

const bound = (text: string, ...parts: (typeof OTHER)[]): string =>
  bindParts([OTHER, ...parts, { name: "this.cjs", text }])(text);

it("what another part exports and never changes is taken once, under the name that the importer gives it", () => {
  expect(bound('import{LIMIT2 as max,next,a$ as one}from"./other.cjs";console.log(max,next(),one);')).toBe(
    'const{LIMIT2:max,next,a$:one}=require("./other.cjs");console.log(max,next(),one);',
  );
});

it("what may change is asked for at each use, as before", () => {
  expect(bound('import{count as n,seen}from"./other.cjs";console.log(n,seen);')).toBe(
    'import{count as n}from"./other.cjs";const{seen}=require("./other.cjs");console.log(n,seen);',
  );
});

it.each(["x=1", "x+=1", "x??=1", "x>>>=1", "x++", "--x"])("%s changes what is exported", (change) => {
  const part = { name: "part.cjs", text: `var x=0,f=()=>{${change}};export{f,x};` };
  expect(bound('import{x}from"./part.cjs";f(x);', part)).toBe('import{x}from"./part.cjs";f(x);');
});

it.each(["x==1", "x>=1", "x<=1", "x===1", "x=>1", "y.x=1", "yx=1", "{x:1}", "x+1"])(
  "%s changes nothing",
  (use) => {
    const part = { name: "part.cjs", text: `var x=0,f=()=>(${use});export{x};` };
    expect(bound('import{x}from"./part.cjs";f(x);', part)).toBe('const{x}=require("./part.cjs");f(x);');
  },
);

it.each(["var x;", "var a=1,x,b=2;", "var a=f(1,[2]),x;", "var x,y;"])(
  "%s leaves what is exported open",
  (declared) => {
    const part = { name: "part.cjs", text: `${declared}var f=()=>{x=1};export{f,x};` };
    expect(bound('import{x}from"./part.cjs";f(x);', part)).toBe('import{x}from"./part.cjs";f(x);');
  },
);

it.each([
  "var a=1,x=2,b=f(a,x,1);",
  "var a=1,x=2,b=[a,x,1];",
  "var a=1,x=2,b=()=>{f(a,x)},c={a,x,b};",
  "class x{}f(a,x,1);",
])("%s settles what is exported", (declared) => {
  const part = { name: "part.cjs", text: `${declared}export{x};` };
  expect(bound('import{x}from"./part.cjs";f(x);', part)).toBe('const{x}=require("./part.cjs");f(x);');
});

it("imports of packages, of nothing and of what has no exports stay as they are, in order", () => {
  const text =
    'import"./other.cjs";import{readFileSync as r}from"node:fs";import*as os from"node:os";import c from"c";r(os,c,"import{seen}from\\"./other.cjs\\"");';
  expect(bound(text)).toBe(text);
});
