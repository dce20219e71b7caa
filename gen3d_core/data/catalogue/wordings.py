"""How each category is described: its kind, its size, and what its parts are."""

from __future__ import annotations

from .sayings import Said, Value, article, count, labels, number, sides, text
from .shape import Shape

# Furniture


def chair(shape: Shape) -> Said:
    width, depth, height = sides(shape)
    base, back, seat = text(shape, "base"), text(shape, "back"), text(shape, "seat")
    standing, wide = base == "legs", width > 1.5 * depth
    legs = labels(shape, "leg") if standing else 0
    arms = labels(shape, "arm") > 0
    noun = ("bench" if wide else "stool") if back == "none" else "settee" if wide else "chair"
    size = "tall" if height > 1.8 * max(width, depth) else "low" if height < 1.05 * max(width, depth) else ""
    backs = {
        "panel": "solid back",
        "slats": "slatted back",
        "spindles": "spindle back",
        "ladder": "ladder back",
        "hoop": "hoop back",
        "rest": "backrest",
        "tub": "curved back",
    }
    bases = {
        "sled": "a sled base",
        "star": "a star base",
        "pedestal": "a pedestal base",
        "cantilever": "a cantilever base",
        "panels": "side panels",
        "block": "a block base",
    }
    slope = "splayed" if number(shape, "splay") > 4 else "tapered" if number(shape, "taper") > 1.12 else "straight"
    if text(shape, "stance") == "crossed":
        slope = "crossed"
    rocking = standing and text(shape, "stance") == "rockers"
    seat = {"cushion": "cushioned", "trapezoid": "tapered"}.get(seat, seat)
    values: dict[str, Value] = {
        "kind": noun,
        "size": size or "middle",
        "seat": seat,
        "back": backs.get(back, "no"),
        "base": base,
        "legs": legs,
        "arms": 2 if arms else 0,
    }
    features = [
        article(f"{seat} seat"),
        count(legs, f"{slope} leg") if standing else bases.get(base, ""),
        article(backs[back]) if back in backs else "",
        "armrests" if arms else "",
    ]
    return Said(noun, [size, "rocking" if rocking else ""], features, values)


def table(shape: Shape) -> Said:
    width, depth, height = sides(shape)
    base, top, extra = text(shape, "base"), text(shape, "top"), text(shape, "extra")
    longest = max(width, depth)
    size = "tall" if height > 0.95 * longest else "low" if height < 0.45 * longest else ""
    form = "rectangular" if top == "rectangle" else top
    if form == "rectangular" and min(width, depth) > 0.93 * longest:
        form = "square"
    noun = "desk" if text(shape, "form") == "desk" else "table"
    legs, hutch = labels(shape, "leg"), labels(shape, "side") > 0
    shelves = labels(shape, "shelf") - hutch
    bases = {
        "legs": count(legs, "leg"),
        "trestle": "a trestle base",
        "pedestal": "a pedestal base",
        "sled": "a sled base",
        "panels": "side panels",
        "columns": "two columns",
        "drawers": count(labels(shape, "drawer"), "drawer"),
        "block": "a block base",
    }
    extras = {"apron": "an apron", "stretcher": "a stretcher", "box": "a box stretcher"}
    extra = extra if extra in extras and labels(shape, "rail") else "no"
    values: dict[str, Value] = {
        "kind": noun,
        "size": size or "middle",
        "top": form,
        "base": base,
        "legs": legs,
        "extra": extra,
        "shelves": shelves,
        "drawers": labels(shape, "drawer"),
    }
    features = [
        bases.get(base, ""),
        extras.get(extra, ""),
        count(shelves, "shelf", plural="shelves"),
        "a screen" if labels(shape, "back") - hutch > 0 else "",
        "a hutch" if hutch else "",
    ]
    return Said(noun, [size, form], features, values)


def cabinet(shape: Shape) -> Said:
    width, _, height = sides(shape)
    size = "tall" if height > 1.6 * width else "low" if height < 0.6 * width else ""
    doors, drawers, legs = (labels(shape, label) for label in ("door", "drawer", "leg"))
    # The bottom of each zone is as wide as the cabinet; shelves lie in its columns.
    across = number(shape, "width") - 0.03
    boards = [part.solid.bounds() for part in shape.parts if part.label == "shelf"]
    shelves = sum(float(high[0] - low[0]) < across for low, high in boards)
    stand = text(shape, "stand")
    values: dict[str, Value] = {
        "kind": text(shape, "form"),
        "size": size or "middle",
        "doors": doors,
        "drawers": drawers,
        "shelves": shelves,
        "stand": stand,
        "legs": legs,
    }
    features = [
        count(doors, "door"),
        count(drawers, "drawer"),
        count(shelves, "shelf", plural="shelves"),
        "a plinth" if stand == "plinth" else "",
        count(legs, "leg"),
    ]
    return Said(text(shape, "form"), [size], features, values)


# Lamps and vessels


def lamp(shape: Shape) -> Said:
    kind, stand, shade = text(shape, "kind"), text(shape, "stand"), text(shape, "shade")
    shades = labels(shape, "shade")
    place = {"pendant": "hanging"}.get(kind, kind)
    noun, adjective = ("chandelier", "") if stand == "chandelier" else ("lamp", place)
    stands = {
        "post": "a post",
        "tripod": "a tripod",
        "arc": "an arc neck",
        "branch": "branches",
        "tray": "a tray",
        "elbow": "a jointed arm",
        "twin": "a twin arm",
        "neck": "a bent neck",
        "single": "a cord",
        "bar": "a bar",
        "chandelier": count(int(number(shape, "lights")), "arm"),
    }
    body = stands.get(stand) or f"{article(stand)} base"
    form = {"neck": "bent", "elbow": "jointed", "branch": "branches", "chandelier": "arms", "single": "cord"}
    feet = kind in ("desk", "floor") and stand != "tripod"
    foot = text(shape, "foot")
    values: dict[str, Value] = {
        "kind": place,
        "stand": form.get(stand, stand),
        "shade": shade,
        "shades": shades,
        "foot": foot if feet else "no",
    }
    features = [body, count(shades, f"{shade} shade"), f"{article(foot)} foot" if feet else ""]
    return Said(noun, [adjective], features, values)


def vase(shape: Shape) -> Said:
    _, depth, height = sides(shape)
    kind, foot, closure = text(shape, "kind"), text(shape, "foot"), text(shape, "closure")
    own = ("amphora", "bowl", "jar", "jug", "bottle", "flask", "carafe")
    noun = kind if kind in own else "vase"
    size = "slender" if height > 2.5 * depth else "wide" if height < depth else ""
    handles = int(number(shape, "handles"))
    handle = text(shape, "handle")
    feet = {"ring": "a ring foot", "pedestal": "a pedestal", "balls": "ball feet"}
    values: dict[str, Value] = {
        "kind": kind,
        "size": size or "middle",
        "foot": foot if foot in feet else "no",
        "handles": handles,
        "handle": handle if handles else "no",
        "closure": closure,
        "bands": int(number(shape, "bands")),
    }
    features = [
        count(handles, f"{handle} handle"),
        feet.get(foot, ""),
        count(int(number(shape, "bands")), "band"),
        "" if closure == "open" else article(closure),
    ]
    return Said(noun, [size, "" if noun == kind else kind], features, values)


def mug(shape: Shape) -> Said:
    form, handle = text(shape, "form"), text(shape, "handle")
    noun = form if form in ("teacup", "stein") else "mug"
    handles, bands = int(number(shape, "handles")), int(number(shape, "bands"))
    values: dict[str, Value] = {
        "kind": noun,
        "form": form,
        "handles": handles,
        "handle": handle if handles else "no",
        "saucer": int(number(shape, "saucer")),
        "lid": int(number(shape, "lid")),
        "bands": bands,
    }
    features = [
        count(handles, f"{handle} handle"),
        "a ring foot" if number(shape, "ring") else "",
        count(bands, "band"),
        "a lid" if number(shape, "lid") else "",
        "a saucer" if number(shape, "saucer") else "",
    ]
    return Said(noun, ["" if noun == form else form], features, values)


# Vehicles


def airplane(shape: Shape) -> Said:
    kind, wing, tail, gear = (text(shape, name) for name in ("kind", "wing", "tail", "gear"))
    nouns = {"jet": "jet", "propeller": "airplane", "twin": "airplane"}
    noun = nouns.get(kind, kind)
    engines, blades = int(number(shape, "engines")), int(number(shape, "blades"))
    swept = "swept" if number(shape, "sweep") > 14 else "straight"
    places = {"wing": "under its wings", "rear": "at the rear", "nose": "in the nose", "body": "in its body"}
    place = "" if blades else places.get(text(shape, "place"), "")
    power = f"{count(engines, 'propeller' if blades else 'engine')} {place}".strip()
    tails = {"T": "high", "cross": "middle", "V": "splayed", "H": "twin", "none": "no"}
    wings = "" if kind == "biplane" else wing
    values: dict[str, Value] = {
        "kind": kind,
        "wing": wing,
        "sweep": swept,
        "engines": engines,
        "blades": blades,
        "tail": tails.get(tail, tail),
        "gear": gear if gear != "none" else "no",
    }
    features = [
        f"{wings} {swept} wings".strip(),
        power,
        "" if tail == "none" else f"{article(tails.get(tail, tail))} tail",
        "" if gear == "none" else gear,
        "winglets" if number(shape, "winglets") else "",
        "canards" if number(shape, "canards") else "",
    ]
    return Said(noun, ["propeller" if noun == "airplane" else ""], features, values)


def car(shape: Shape) -> Said:
    kind, load, roof, tail = (text(shape, name) for name in ("kind", "load", "roof", "tail"))
    wheels, lights = labels(shape, "wheel"), text(shape, "lights")
    lights = lights if labels(shape, "light") else "none"
    decked = "double decker" if number(shape, "deck") == 2 else ""
    roofs = {"sign": "a roof sign", "rails": "roof rails", "lamps": "roof lamps", "box": "a roof box"}
    tails = {"lip": "a spoiler", "wing": "a rear wing", "wheel": "a spare wheel"}
    loads = {
        "box": "a box",
        "tank": "a tank",
        "open": "an open bed",
        "logs": "logs",
        "tipper": "a tipper",
        "mixer": "a mixer",
    }
    values: dict[str, Value] = {
        "kind": kind,
        "wheels": wheels,
        "lights": lights if lights != "none" else "no",
        "load": load if load in loads else "no",
        "roof": roof if roof in roofs else "no",
        "tail": tail if tail in tails else "no",
        "mirrors": 2 if labels(shape, "mirror") else 0,
        "bumpers": labels(shape, "bumper"),
    }
    features = [
        count(wheels, "wheel"),
        loads.get(load, ""),
        "" if lights == "none" else f"{lights} lights",
        roofs.get(roof, ""),
        tails.get(tail, ""),
        "mirrors" if labels(shape, "mirror") else "",
        "bumpers" if labels(shape, "bumper") else "",
    ]
    return Said("sports car" if kind == "sports" else kind, [decked], features, values)


# Creatures


def creature(shape: Shape) -> Said:
    kind = text(shape, "kind")
    _, depth, height = sides(shape)
    size = "tall" if height > 1.15 * depth else "long" if depth > 1.9 * height else ""
    legs = int(number(shape, "legs"))
    has = {name: labels(shape, name) > 0 for name in ("ear", "horn", "tail", "wing", "arm")}
    neck = "long" if number(shape, "neck") > 0.24 else "short"
    reach = number(shape, "tail")
    tail = "long" if reach > 0.2 else "short"
    values: dict[str, Value] = {
        "kind": kind,
        "size": size or "middle",
        "legs": legs,
        "ears": 2 * has["ear"],
        "horns": 2 * has["horn"],
        "wings": 2 * has["wing"],
        "arms": 2 * has["arm"],
        "tail": tail if has["tail"] else "no",
        "neck": neck,
    }
    features = [
        count(legs, "leg"),
        "two arms" if has["arm"] else "",
        f"a {neck} neck",
        "two ears" if has["ear"] else "",
        "two horns" if has["horn"] else "",
        "wings" if has["wing"] else "",
        f"a {tail} tail" if has["tail"] else "",
    ]
    return Said(kind, [size], features, values)
