// The machines of this seat went to another one: labctl's first page leads to whichever is theirs now.
document.addEventListener("moved", () => location.assign("/"));
export {};
