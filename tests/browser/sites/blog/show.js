document.querySelector("#origin").textContent = self.origin;
