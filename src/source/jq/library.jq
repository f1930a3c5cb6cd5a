# The functions of jq's library that are written in jq, as jaq has them (MIT License, Copyright (c) 2021 Michael Färber),
# without those that reach outside of an expression and those that `functions` and `regex` have in Rust. A test holds
# them against jaq's. A blank line ends each.

def empty: {}[] as $x | .;

def error:                error_empty  as $x | .    ;

def error(msgs):  (msgs | error_empty) as $x | .    ;

def true:  0 == 0;

def false: 0 != 0;

def not: if . then false else true end;

def select(f): if f then . else empty end;

def tostring: "\(.)";

def range(from; to): range(from; to; 1);

def range(to): range(0; to);

def repeat(f): def rec: f, rec; rec;

def recurse(f): def rec: ., (f | rec); rec;

def recurse: recurse(.[]?);

def recurse(f; cond): recurse(f | select(cond));

def while(cond; update): def rec: if cond then ., (update | rec) else empty end; rec;

def until(cond; update): def rec: if cond then . else update | rec end; rec;

def paths:    skip(1; path      (..));

def paths(p): skip(1; path_value(..)) | if .[1] | p then .[0] else empty end;

def getpath($path): reduce $path[] as $p (.; .[$p]);

def setpath($path; $x): getpath($path) = $x;

def delpaths($paths): reduce $paths[] as $path (.; getpath($path) |= empty);

def map(f): [.[] | f];

def map_values(f): .[] |= f;

def walk(f): .. |= f;

def del(f): f |= empty;

def first:  .[ 0];

def last:   .[-1];

def nth(n): .[ n];

def join($s): .[] |= tostring | .[:-1][] += $s | reduce .[] as $x (""; . + $x);

def combinations: .[][] |= [.] | reduce .[] as $a ([]; . + $a[]);

def combinations($n): [limit($n; repeat(.))] | combinations;

def nth(n; g): first(skip(n; g));

def to_entries: [key_values[] as [$key, $value] | { $key, $value }];

def from_entries: reduce (.[] | { (.key): .value }) as $x ({}; . + $x);

def with_entries(f): to_entries | map(f) | from_entries;

def isempty(g): first((g | false), true);

def all(g; cond): isempty(g | cond and empty);

def any(g; cond): isempty(g | cond  or empty) | not;

def all(cond): all(.[]; cond);

def any(cond): any(.[]; cond);

def all: all(.[]; .);

def any: any(.[]; .);

def null:  [][0];

def isboolean: . == true or . == false;

def isnumber:  . > true and . < "";

def isstring:  . >= ""  and . < [];

def isarray:   . >= []  and . < {};

def isobject:  . >= {};

def nan:      0 / 0;

def infinite: 1 / 0;

def isnan:      . < nan and nan < .;

def isinfinite: . == infinite or  . == -infinite;

def isfinite:   isnumber and (isinfinite | not);

def isnormal:   isnumber and ((. == 0 or isnan or isinfinite) | not);

def abs: if . < 0 then - . end;

def logb:
    if . == 0.0 then -infinite
  elif isinfinite then infinite
  elif isnan then .
  else ilogb | . + 0.0 end;

def significand:
    if isinfinite or isnan then .
  elif . == 0.0 then 0.0
  else scalbln(.; ilogb | -1 * .) end;

def pow10:            pow(10.0; .);

def drem($l; r):      remainder($l; r) | if . == 0 then copysign(.; $l) end;

def nexttoward(x; y): nextafter(x; y);

def scalb(x; e):      x * pow(2.0; e);

def gamma: tgamma;

def type:
    if . == null then "null"
  elif isboolean then "boolean"
  elif . < "" then "number"
  elif . < [] then "string"
  elif . < {} then "array"
  else             "object" end;

def values:    select(. != null);

def nulls:     select(. == null);

def booleans:  select(isboolean);

def numbers:   select(isnumber);

def finites:   select(isfinite);

def normals:   select(isnormal);

def strings:   select(isstring);

def arrays:    select(isarray);

def objects:   select(isobject);

def iterables: select(. >= []);

def scalars:   select(. <  []);

def add(f): reduce f as $x (null; . + $x);

def add: add(.[]);

def min_by(f): reduce min_by_or_empty(f) as $x (null; $x);

def max_by(f): reduce max_by_or_empty(f) as $x (null; $x);

def min: min_by(.);

def max: max_by(.);

def unique_by(f): [group_by(f)[] | .[0]];

def unique: unique_by(.);

def pick(f):
  reduce path_value(f) as [$path, $value] ({}; . *
    reduce ($path | reverse[]) as $p ($value; {($p): .})
  );

def keys: keys_unsorted | sort;

def flatten: [recurse(arrays[]) | select(isarray | not)];

def flatten($d): if $d > 0 then map(if isarray then flatten($d-1) else [.] end) | add end;

def splits(re; flags): split(re; flags)[];

def test(re):    test(re; "");

def scan(re):    scan(re; "");

def match(re):   match(re; "");

def capture(re): capture(re; "");

def splits(re):  splits(re; "");

def sub(re; f): sub(re; f;  "");

def gsub(re; f): sub(re; f; "g");

def todate:   todateiso8601;

def fromdate: fromdateiso8601;

def @sh: [if isarray then .[] end | if . >= "" then "'\(escape_sh)'" else "\(.)" end] | join(" ");

def @text: "\(.)";

def @html   : tostring | escape_html;

def @htmld  : tostring | unescape_html;

def @uri    : tostring | encode_uri;

def @urid   : tostring | decode_uri;

def @base64 : tostring | encode_base64;

def @base64d: tostring | decode_base64;

def totype(p; e): if p then . else fromjson | if p then . else e end end;

def tonumber : totype(isnumber ; error("cannot parse as number" ));

def toboolean: totype(isboolean; error("cannot parse as boolean"));

def transpose: [range([.[] | length] | max) as $i | [.[][$i]]];

def in(xs)    : . as $x | xs | has     ($x);

def inside(xs): . as $x | xs | contains($x);

def index($i): indices($i)[ 0];

def rindex($i): indices($i)[-1];

def @json: tojson;
