// The machines of this seat went to another one: labctl's first page leads to whichever is theirs now.
document.addEventListener("moved", () => location.assign("/"));
// Signed out, or no more theirs to see: labctl knows which, and leads to where one signs in.
document.addEventListener("left", () => location.reload());
export {};
