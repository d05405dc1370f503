"""Short plain English nouns for `random: words` and `random: username`. Only the drawing uses them."""

# fmt: off
WORDS: tuple[str, ...] = (
    "acorn", "amber", "anchor", "apple", "arch", "arrow", "aspen", "autumn", "badge", "bagel", "bamboo", "basket", "beacon", "berry",
    "birch", "bishop", "blossom", "bottle", "boulder", "branch", "breeze", "bridge", "bronze", "bucket", "button", "cabin", "cactus",
    "camel", "candle", "canoe", "canyon", "carpet", "castle", "cedar", "cellar", "cherry", "chestnut", "circle", "clay", "clover",
    "cobalt", "coffee", "comet", "copper", "coral", "cotton", "cradle", "crane", "crater", "cricket", "crystal", "cupola", "curtain",
    "daisy", "delta", "desert", "diamond", "dolphin", "domino", "donkey", "dragon", "drum", "dune", "eagle", "echo", "elbow", "elder",
    "ember", "engine", "falcon", "feather", "fennel", "fern", "ferry", "fiddle", "field", "finch", "flame", "flint", "flute",
    "forest", "fossil", "fountain", "fox", "garden", "garlic", "garnet", "ginger", "glacier", "globe", "goblet", "granite", "grape",
    "gravel", "grove", "hammer", "harbor", "harvest", "hazel", "helmet", "heron", "hill", "honey", "horizon", "hornet", "island",
    "ivory", "ivy", "jacket", "jade", "jaguar", "jasmine", "jigsaw", "jungle", "juniper", "kayak", "kettle", "kitten", "ladder",
    "lagoon", "lantern", "laurel", "lava", "lemon", "lens", "lichen", "lilac", "linen", "lizard", "lobster", "locket", "lotus",
    "lynx", "magnet", "mango", "maple", "marble", "marsh", "meadow", "melon", "meteor", "mill", "mint", "mirror", "mitten", "moon",
    "mosaic", "moss", "mountain", "mustard", "napkin", "nectar", "needle", "nickel", "nutmeg", "oak", "oasis", "oat", "ocean",
    "olive", "onyx", "opal", "orchard", "orchid", "otter", "oyster", "paddle", "palm", "panda", "paper", "parrot", "pearl", "pebble",
    "pelican", "pepper", "petal", "piano", "pigeon", "pillow", "pine", "planet", "plum", "pocket", "pond", "poplar", "poppy",
    "prairie", "prism", "puffin", "pumpkin", "quarry", "quartz", "quilt", "rabbit", "raft", "rain", "raven", "reef", "ribbon",
    "ridge", "river", "robin", "rocket", "rose", "ruby", "saddle", "saffron", "sail", "salmon", "sand", "sapphire", "sparrow",
    "spice", "spruce", "squash", "star", "stone", "storm", "stream", "sugar", "summit", "sunset", "swallow", "swan", "tea", "temple",
    "thistle", "thunder", "tiger", "timber", "topaz", "torch", "trumpet", "tulip", "tunnel", "turtle", "valley", "vanilla", "velvet",
    "violet", "walnut", "water", "wave", "wheat", "willow", "window", "winter", "wolf", "wool", "yarrow", "zebra", "zephyr", "zinc",
)
# fmt: on
